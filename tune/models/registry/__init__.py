"""From a bundle to a registered model: an MLflow run, a logged model, a version with an alias.

`record` is what a retrain leaves beside its bundle, and all that is read here; `run` and `logged_model` say
it in MLflow's words; `pyfunc_model` is the script with which MLflow serves a model where this project is not
installed; `champion` decides which alias a version gets; `registering` does one after the other.
"""

from tune.models.registry.model_names import check_name, default_name
from tune.models.registry.record import Record, write_record
from tune.models.registry.registering import Registered, register

__all__ = ["Record", "Registered", "check_name", "default_name", "register", "write_record"]
