"""Reading YAML, and checking values against the classes with errors that say what to mend."""

from __future__ import annotations

import contextlib
import difflib
import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from qff.errors import ConfigError


class _Loader(yaml.SafeLoader):
    """A key given twice is an error: YAML would keep the last one and say nothing."""

    def compose_mapping_node(self, anchor):
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value != "<<":
                if key.value in seen:
                    raise yaml.MarkedYAMLError(None, None, f"key '{key.value}' is given twice", key.start_mark)
                seen.add(key.value)
        return node


def read_yaml(path: str | Path) -> Any:
    """Content of a YAML file.

    Raises:
        ConfigError: missing, unreadable, not YAML, or a key given twice.
    """
    path = Path(path)
    try:
        return yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # the second: impossible dates, or no UTF-8
        raise ConfigError(f"{path}: not valid YAML: {error}") from error


def validate(model: type[BaseModel], value: Any, where: str) -> Any:
    """Typed value, or an error that names every offending key with a suggestion.

    Raises:
        ConfigError: with one line per problem.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        lines = []
        for problem in error.errors():
            path = ".".join(str(p) for p in problem["loc"]) or "(top level)"
            if problem["type"] == "extra_forbidden":
                known = _fields_at(model, problem["loc"][:-1])
                lines.append(f"{where}: unknown key '{path}'{suggest(str(problem['loc'][-1]), known)}")
            else:
                message = re.sub(r"^Value error, ", "", problem["msg"])
                if problem["type"] == "literal_error":
                    message += suggest(str(problem["input"]), re.findall(r"'([^']*)'", problem["ctx"]["expected"]))
                lines.append(
                    f"{where}: {path}: {message}" + (f" (got {problem['input']!r})" if _short(problem) else "")
                )
        raise ConfigError("\n".join(lines)) from None


def with_types(config: dict[str, Any]) -> dict[str, Any]:
    """The merged configuration with nested numbers read: Snakemake leaves ``--config a={b: 3}`` as ``"3"``."""

    def typed(value):
        if isinstance(value, dict):
            return {k: typed(v) for k, v in value.items()}
        if isinstance(value, list):
            return [typed(v) for v in value]
        found = value
        if isinstance(value, str):
            with contextlib.suppress(yaml.YAMLError, ValueError):  # a text like any other
                found = yaml.safe_load(value)
        return found if isinstance(found, (bool, int, float)) or value == "null" else value

    return {k: typed(v) if isinstance(v, (dict, list)) else v for k, v in config.items()}


def _short(problem) -> bool:
    return not isinstance(problem["input"], (dict, list)) and problem["type"] != "missing"


def suggest(name: str, known) -> str:
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f": did you mean '{close[0]}'?" if close else ""


def _fields_at(model: type[BaseModel], path) -> list[str]:
    """Field names of the model that a path of keys leads to."""
    for key in path:
        field = model.model_fields.get(str(key))
        if field is None:
            continue  # an index or a free key of a mapping
        annotation = field.annotation
        candidates = [annotation, *getattr(annotation, "__args__", ())]
        model = next((c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), model)
    return list(model.model_fields)
