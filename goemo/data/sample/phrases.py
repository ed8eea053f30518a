"""Phrases of the built-in corpus: for each emotion, for their gaps, and shared by similar emotions."""

from __future__ import annotations

import re

from goemo.data.taxonomy import GOEMOTIONS

# Rows of each label in the published training split of GoEmotions, 43,410 in all.
PUBLISHED_ROWS = {
    "admiration": 4130, "amusement": 2328, "anger": 1567, "annoyance": 2470, "approval": 2939, "caring": 1087,
    "confusion": 1368, "curiosity": 2191, "desire": 641, "disappointment": 1269, "disapproval": 2022,
    "disgust": 793, "embarrassment": 303, "excitement": 853, "fear": 596, "gratitude": 2662, "grief": 77,
    "joy": 1452, "love": 2086, "nervousness": 164, "optimism": 1581, "pride": 111, "realization": 1110,
    "relief": 153, "remorse": 545, "sadness": 1326, "surprise": 1060, "neutral": 14219,
}  # fmt: skip

# What a text of one label is also given, or mistaken for; the first is the likeliest.
NEIGHBOURS = {
    "admiration": ("approval", "love", "joy"),
    "amusement": ("joy", "excitement", "annoyance"),
    "anger": ("annoyance", "disgust", "disapproval"),
    "annoyance": ("anger", "disapproval", "disappointment"),
    "approval": ("admiration", "neutral", "optimism"),
    "caring": ("love", "optimism", "sadness"),
    "confusion": ("curiosity", "surprise", "annoyance"),
    "curiosity": ("confusion", "neutral", "surprise"),
    "desire": ("optimism", "excitement", "love"),
    "disappointment": ("sadness", "annoyance", "disapproval"),
    "disapproval": ("annoyance", "neutral", "anger"),
    "disgust": ("annoyance", "anger", "disapproval"),
    "embarrassment": ("remorse", "nervousness", "amusement"),
    "excitement": ("joy", "optimism", "admiration"),
    "fear": ("nervousness", "surprise", "sadness"),
    "gratitude": ("admiration", "joy", "relief"),
    "grief": ("sadness", "love", "remorse"),
    "joy": ("excitement", "amusement", "love"),
    "love": ("admiration", "joy", "caring"),
    "nervousness": ("fear", "confusion", "embarrassment"),
    "optimism": ("desire", "caring", "approval"),
    "pride": ("joy", "admiration", "gratitude"),
    "realization": ("surprise", "neutral", "confusion"),
    "relief": ("gratitude", "joy", "realization"),
    "remorse": ("sadness", "embarrassment", "disappointment"),
    "sadness": ("disappointment", "grief", "caring"),
    "surprise": ("realization", "excitement", "confusion"),
    "neutral": ("approval", "realization", "curiosity"),
}


def _bank(text: str) -> tuple[str, ...]:
    """Split a block of phrases at slashes and line ends."""
    return tuple(phrase.strip() for phrase in re.split(r"[/\n]", text) if phrase.strip())


# ----------------------------------------------------------------------------------------------
# Phrase banks: slots in braces are filled from SLOTS

PHRASES = {
    "admiration": _bank("""
        {person} is so talented / what a brilliant idea, {person} nailed it / {thing} is beautifully made
        honestly impressive how {person} handled it / {thing} looks amazing / that took real skill
        {person} is a legend / great work on {thing} / you did a fantastic job with {thing}
        the effort behind {thing} is incredible / I have so much respect for {person} / well played
        {person} deserves all the credit / this is some next level craft / {thing} is a masterpiece
        I wish I could do that as well as {person} / {person} makes it look easy, wonderful stuff
    """),
    "amusement": _bank("""
        lol {thing} got me / haha {event} / I am cackling at {thing} / this had me in stitches
        lmao did {person} really say that / {person} cracks me up every time
        I snorted my tea reading {thing} / the joke about {thing} never gets old / hahaha same
        comedy gold right here / that punchline though / I laughed way too hard at {thing}
        {person} is hilarious / can't stop giggling about {thing} / ok that was funny
        the way {person} fell over, lol
    """),
    "anger": _bank("""
        I am furious with {person} / how dare {person} do that / this makes my blood boil
        {event} and I am livid / I want to scream at {person} / shut up already
        {person} can go jump in a lake / enough of these lies / I hate {thing} with a passion
        I am so mad at {person} right now / get out of here with that
        {person} lied to my face and I am raging / whoever did {thing} should be fired
        I slammed the door, that is how angry I am / don't you ever talk to {person} like that
        screw {thing}
    """),
    "annoyance": _bank("""
        ugh, {event} / {person} keeps interrupting, so irritating / can people stop talking about {thing}
        {thing} gets on my nerves / why does {person} always do this / it bugs me that {event}
        oh great, {event} / seriously, again? / {person} won't stop whining about {thing}
        I'm tired of hearing about {thing} / this is such a hassle / could {person} be any slower
        wow thanks for nothing, {person} / the ads during {thing} are a pain / here we go again with {thing}
        just what I needed, {event}
    """),
    "approval": _bank("""
        I agree with {person} / that's a fair point about {thing} / yes, exactly this / good call
        {person} is right about {thing} / makes sense to me / I support that / sounds like a solid plan
        {thing} is a reasonable choice / totally valid / I'd go with {thing} too
        can confirm, {thing} works fine / you have my vote / that is the correct way to do {thing}
        {person} did the sensible thing / nothing wrong with {thing}, it's good
    """),
    "caring": _bank("""
        please take care of yourself / I hope {person} is ok / sending you a big hug
        you can always talk to me / be gentle with yourself / let {person} know they are not alone
        make sure {person} gets some rest / get well soon / stay safe out there
        I'm here if you need anything / don't be too hard on yourself / please look after {person}
        drink some water and sleep, friend / your feelings matter
        I worry about {person}, is somebody checking in / take it one day at a time
    """),
    "confusion": _bank("""
        I don't understand {thing} / wait, what does that mean / I'm lost, {event}? / huh?
        not sure what {person} is trying to say / how does {thing} even work, I can't follow
        this makes no sense to me / am I missing something about {thing}
        I can't tell whether {person} is joking / the rules of {thing} are baffling / what am I looking at
        I read it twice and still don't get it / which one is it, I am so mixed up
        why would {event}, I'm puzzled / no clue what's going on with {thing}
    """),
    "curiosity": _bank("""
        I wonder how {thing} works / where did {person} get {thing}? / what made {person} decide that?
        does anyone know more about {thing}? / how long did {thing} take? / tell me more about {thing}
        is there a story behind {thing}? / what happens next with {person}?
        I'd be interested to hear about {thing} / what is your favourite part of {thing}?
        has {person} ever tried {thing}? / who came up with {thing}? / genuinely curious, {event}?
        any idea why {event}? / what was it like, {doing}?
    """),
    "desire": _bank("""
        I want {thing} so bad / I wish I had {thing} / I'd give anything for {thing}
        need {thing} in my life / if only I could go {doing} / I'm craving {thing}
        take my money for {thing} / I would love to try {doing} / someday I will own {thing} / gimme {thing}
        I'm dying to meet {person} / I long for a weekend of {doing} / wish {person} would invite me
        all I want is {doing}
    """),
    "disappointment": _bank("""
        {thing} was such a letdown / I expected more from {person} / not happy with how {thing} turned out
        too bad, {event} / what a waste of {thing} / I had high hopes for {thing} and then {event}
        {person} didn't even show up / the ending of {thing} fell flat / well, that's a bummer
        so much for {thing} / it could have been good but {event} / I thought {person} was better than that
        sad to see {thing} end like this / underwhelming, to be honest
        all that waiting for {thing}, for nothing
    """),
    "disapproval": _bank("""
        I don't think {thing} is a good idea / no, {person} is wrong about {thing} / I disagree
        {person} should not have done that / that is not ok / I can't support {thing} / bad take on {thing}
        this isn't how you treat {person} / nope, not a fan of {thing} / {thing} should not be allowed
        not cool, {person} / that's no excuse / I wouldn't recommend {thing} / {doing} is irresponsible
        there is nothing clever about {thing} / {person} does not deserve {thing}
    """),
    "disgust": _bank("""
        {thing} smells rotten / eww, {thing} is gross / that makes me sick / I nearly threw up after {thing}
        yuck, {person} never washes the dishes / {thing} is revolting / the slime on {thing}, nope
        there was mould on {thing} / what a vile thing to say / {person} chewing like that is nasty
        my stomach turned looking at {thing} / sickening behaviour from {person}
        keep that filthy stuff away / I found a hair in {thing} / creepy and repulsive
    """),
    "embarrassment": _bank("""
        I called {person} mum in front of everyone / so awkward, {event}
        my face went red when {person} looked / I cringe every time I remember {doing}
        I wanted to sink into the floor / this is humiliating / I tripped in front of {person}
        second-hand cringe from {thing} / I waved back and it wasn't for me
        I'm ashamed to admit I like {thing} / of course my mic was on during {thing}
        too shy to show {person} / I forgot the name of {person} mid sentence, mortifying
    """),
    "excitement": _bank("""
        I can't wait for {thing} / omg {thing} is happening / so hyped for {thing} / let's gooo
        {time} is finally {doing} day / I'm buzzing about {thing} / this is going to be epic
        counting the days until {thing} / woohoo, {event} / I got tickets for {thing}!
        my heart is racing, {person} is coming / I'm pumped for {doing} / yesss {thing}
        I squealed when {person} announced {thing} / what a thrill
    """),
    "fear": _bank("""
        {thing} terrifies me / I'm scared of {doing} / I was too afraid to open the door
        this gave me nightmares / {person} had me scared for my life / I panic when I think of {thing}
        there was a noise downstairs and I froze / horrifying, I can't look at {thing}
        I'm afraid {person} won't make it / the thought of {doing} is frightening
        my hands were shaking with fear / run, seriously, run / spooky as anything, {thing}
    """),
    "gratitude": _bank("""
        thank you so much, {person} / thanks for {thing} / I really appreciate {thing}
        much obliged, that helped / cheers for explaining {thing} / I'm grateful to {person}
        thanks, I needed that / ty for sharing {thing} / bless you for {doing} / I owe {person} one
        thank you for taking the time / glad {person} was there to help, thanks
        this answered my question, thanks / couldn't have done {thing} without {person}
    """),
    "grief": _bank("""
        rest in peace, {person} / we buried {person} {time}
        I still set the table for {person}, who passed away / losing {person} broke me / my dog died {time}
        the funeral of {person} was {time} / I miss {person} so much since the accident / gone too soon
        my condolences on the death of {person} / {person} passed away and I can't breathe
        nothing fills the hole {person} left / mourning {person} still
        the house is silent since {person} died
    """),
    "joy": _bank("""
        I'm so happy {time} / {thing} made my day / this brings me so much joy / best day ever, {event}
        I can't stop smiling / yay, {person} is back / {doing} always puts me in a good mood
        happy birthday to {person} / pure happiness, {doing} / I enjoyed {thing} a lot
        feeling cheerful after {thing} / life is good / what a lovely evening with {person}
        it warms my heart that {event} / had a blast {doing} / glad we went {doing}
    """),
    "love": _bank("""
        I love {thing} / {person} means the world to me / I adore {thing} / my heart belongs to {person}
        love you, {person} / {thing} is my favourite thing in the world / I'm head over heels for {person}
        falling for {person} more every day / I love {doing} with {person} / such a sweet soul, love them
        hugs and kisses to {person} / I've loved {thing} since I was a kid / {person} is the love of my life
        absolutely in love with {thing}
    """),
    "nervousness": _bank("""
        I'm so nervous about {thing} / my stomach is in knots before {thing} / I'm anxious about {doing}
        I keep biting my nails over {thing} / what if {person} says no, I'm on edge
        I get jittery around {person} / I couldn't sleep, {thing} is tomorrow / sweaty palms before {doing}
        I worry that {event} / a bit uneasy about {thing} / I hope I don't mess up {thing}
        the waiting is stressing me out / {person} wants to talk and I feel tense
    """),
    "optimism": _bank("""
        I hope {thing} works out / it will get better / things are looking up
        hopefully {person} wins {time} / I believe {person} can do it / next year will be our year
        fingers crossed for {thing} / there is still a chance / I'm sure {person} will figure it out
        the future of {thing} is bright / keep going, you'll get there / better days are coming
        looking forward to how {thing} develops / I have faith in {person} / good luck with {thing}
    """),
    "pride": _bank("""
        I'm so proud of {person} / look what I made, {thing} from scratch
        I finally finished {thing} on my own / proud to say I quit {time}
        {person} graduated and I could burst / I earned this / my kid won {thing}
        I stood up to {person} and held my head high / we built {thing} ourselves
        I ran the whole distance {time}, proud moment / not to brag but I did {thing}
        our team made history / I'm proud of how far we came
    """),
    "realization": _bank("""
        oh, now I get it / I just realised {event} / it hit me that {person} was right / turns out {event}
        TIL about {thing} / I never noticed that {event} before / wait, that's why {event}
        so {thing} was the reason all along / looking back, {person} knew / it finally clicked {time}
        I only now understand {thing} / huh, I always thought it was {thing} / come to think of it, {event}
        it dawned on me {doing}
    """),
    "relief": _bank("""
        phew, {event} but we are fine / thank goodness {person} is safe / glad that's over
        what a weight off my shoulders / I can finally breathe again / so relieved that {thing} is done
        {person} came home safe {time} / the test came back clear / finally some peace after {thing}
        dodged a bullet with {thing} / I can sleep again now / luckily nothing happened to {person}
        it wasn't as bad as I feared
    """),
    "remorse": _bank("""
        I'm sorry, {person} / my bad about {thing} / I regret {doing} / I shouldn't have yelled at {person}
        I apologise for {thing} / forgive me, I was wrong / I feel guilty about {doing}
        if I could take it back I would / I owe {person} an apology / sorry for ruining {thing}
        it was my fault, {event} / I wish I had been kinder to {person} / I feel terrible for what I said
    """),
    "sadness": _bank("""
        I'm so sad about {thing} / I cried when {event} / feeling down {time} / this is heartbreaking
        I feel so alone {time} / {person} left and I can't stop crying / poor {person}, that hurts
        it's depressing that {event} / my heart aches for {person} / {thing} made me tear up
        sorry to hear that, so sad / I miss {person} / it hurts to see {person} like this
        everything feels empty {time} / :( poor thing
    """),
    "surprise": _bank("""
        wow, I did not see that coming / I can't believe {event} / no way, {person} did that? / omg what
        I'm shocked that {event} / {person} showed up out of nowhere / wait, really?
        who would have thought {event} / my jaw dropped at {thing} / what a twist
        I was not expecting {thing} / holy smokes, {thing} / unbelievable, {event}
        didn't think {person} had it in them / plot twist, {event}
    """),
    "neutral": _bank("""
        {event} / {person} is {doing} {time} / the shop near {person} sells {thing} / {thing} starts at nine
        I saw {person} {doing} / {person} posted about {thing} {time} / it was about {thing}
        we were {doing} when {event} / you can find {thing} on the second page / they play {time}
        {person} has {thing} and so does the guy next door / it depends on {thing}
        I usually go {doing} on weekends / there are two versions of {thing} / that was {person}, not me
        {person} said {event} / the one with {thing} / I'm {doing} at the moment / it's {thing}, I think
        check the link about {thing} / {person} used to work on {thing} / the rest is {thing}
    """),
}

# Phrases that fit several labels: whoever reads them alone has to guess.
SHARED = (
    (("anger", "annoyance", "disapproval", "disgust"), _bank("""
        I can't stand {thing} / what is wrong with {person} / {event}, unbelievable / not this again
        {person} is the worst / this is ridiculous / stop it with {thing} / how is {thing} still allowed
    """)),
    (("joy", "excitement", "admiration", "love", "amusement", "pride"), _bank("""
        {thing} is the best / this is awesome / {person} made me smile / yes!! {event}
        I'm all about {thing} / so good, {thing} / what a day / {person} rocks / this is everything
    """)),
    (("sadness", "grief", "disappointment", "remorse"), _bank("""
        I wish things were different / it's not the same without {person} / I just feel awful / {event} :(
        it's over / I had to leave {thing} behind / I can't get over {thing} / that's rough
    """)),
    (("confusion", "curiosity", "realization", "surprise"), _bank("""
        wait, {event}? / so {person} was {doing}? / hold on, what about {thing}?
        I had no idea about {thing} / really, {thing}? / is that {person}? / hm, {event}
        since when does {person} have {thing}
    """)),
    (("fear", "nervousness", "embarrassment"), _bank("""
        I don't want to be here / I couldn't say a word to {person} / please not {thing} / oh no, {event}
        I hid from {person} / my heart was pounding / I can't do this
    """)),
    (("approval", "optimism", "caring", "relief", "gratitude", "desire", "neutral"), _bank("""
        it will be fine / that helps / ok, {thing} it is / {person} is doing better
        good to know about {thing} / let's do {thing} / no worries / {person} should try {thing}
    """)),
)  # fmt: skip
SHARED_BY = {label: [phrases for labels, phrases in SHARED if label in labels] for label in GOEMOTIONS}

# Emotion words that express none: titles, quotes, definitions.
MENTIONS = _bank("""
    the chapter is called {word} / {person} asked how to translate {word}
    the song {word} is four minutes long / {word} was trending {time} / our word of the day is {word}
    in the film {person} plays {word} / the perfume is named {word} / {person} wrote an essay about {word}
    spell {word} for me
""")
MENTIONED = _bank(
    "anger / joy / pride / fear / love / grief / surprise / desire / disgust / relief / sadness"
)

SLOTS = {
    "person": _bank("""
        [NAME] / [NAME] / [NAME] / my brother / my sister / my boss / the coach / our neighbour
        my roommate / my best friend / the new guy / my grandma / that streamer / the mod / my teacher
        the author / my cousin / the driver / my uncle / the bassist / this kid / the goalkeeper / OP
        my ex / the manager / the waiter
    """),
    "thing": _bank("""
        this song / the new season / that goal / the last episode / this recipe / the update
        that interview / the final boss / my old bike / the group project / this subreddit / the trailer
        that haircut / the concert / this puzzle / the house plan / the exam / the road trip / that meme
        the pizza place / this game / the wedding speech / the playoffs / my new job / the museum
        that jacket / the garden / the vaccine trial / this painting / the phone call / the camping trip
        the job interview / that documentary / the soup / the school play / this podcast / the train ride
        the beta / my first car / that documentary series
    """),
    "event": _bank("""
        they moved the deadline / the bus left early / it rained all week / the server went down
        {person} changed the plan / they cancelled the show / the store closed at noon
        {person} got the part / the match went to penalties / somebody ate my lunch
        the package came two days early / {person} moved to another city / they renamed the channel
        the power went out {time} / {person} deleted the post / the cat learned to open the fridge
        they traded {person} / the parking lot was full / {person} ordered for everyone
        the website asks for a password twice / {person} brought {thing} / they sold out in a minute
        the meeting ran two hours late / nobody told {person} about {thing} / {person} never called back
        they put {thing} on the front page
    """),
    "doing": _bank("""
        waiting in line / reading this thread / cooking for ten people / driving at night / moving house
        studying for finals / walking the dog / singing in public / talking to {person} / playing {thing}
        cleaning the garage / flying alone / working the late shift / dancing at weddings
        painting the fence / speaking on stage / swimming in the lake / sorting old photos
        learning to drive / fixing the sink
    """),
    "time": _bank("""
        today / last night / this morning / this week / after all these years / yesterday / on Monday
        lately / last summer / right before lunch / at two in the morning / this season / on my birthday
        since Friday
    """),
    "word": MENTIONED,
}

REMARKS = _bank("""
    {person} was there too / we were just {doing} / it's been like this since {event} / this was {time}
    I was {doing} and {event} / that's all there is about {thing} / I only came for {thing}
    {person} can explain / anyway, back to {doing} / somebody mentioned {thing} / I saw it {time}
    {person} asked about {thing} / no idea if {person} knows / for context, {event} / but then {event}
    also {thing} was on
""")
OPENERS = _bank("""
    honestly, / well, / tbh / so / man, / ok so / I mean, / dude, / look, / yeah, / not gonna lie, / imo
    hey, / update: / edit: / as usual, / for real, / listen,
""")
CLOSERS = _bank("""
    tbh / imo / right? / though / I guess / lol / smh / ngl / just saying / you know / or whatever / fr
    [NAME] / ... / anyway / haha / oh well / !! / for sure
""")
EMOJI = {
    "positive": ("😂", "❤️", "😍", "🎉", "😊", "👏", "🔥", "<3", ":)", "xD"),
    "negative": ("😡", "😭", "💔", "🙄", "😬", "🤢", "😞", ":(", ">:(", ":/"),
    "any": ("🤔", "👀", "😅", "🙃", "😮", "🤷", "💀", ":D", "😂", "lol"),
}
NEGATIVE = _bank("""
    anger / annoyance / disappointment / disapproval / disgust / embarrassment / fear / grief / nervousness
    remorse / sadness
""")
UNCOLOURED = ("confusion", "curiosity", "realization", "surprise", "neutral")
