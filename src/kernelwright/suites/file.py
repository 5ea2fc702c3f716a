"""Results files on disk: read, and written whole or not at all."""

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from kernelwright.suites.kernelbench import SuiteError
from kernelwright.suites.records import SUITE_SCHEMA, SuiteResults


def read(path: Path) -> SuiteResults:
    """Raises ``SuiteError`` with one line for a file that is none."""
    try:
        results = SuiteResults.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SuiteError(f"no such results file: {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SuiteError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise SuiteError(f"{path} is no {SUITE_SCHEMA} file: {where + ': ' if where else ''}{first['msg']}") from None
    for record in results.problems:
        if not 0 <= record.head < len(results.heads):
            raise SuiteError(f"{path}: {record.title} names head {record.head}, and there are {len(results.heads)}")
    return results


def write(path: Path, results: SuiteResults) -> None:
    """A kill leaves the file as it was or as it is now. Raises ``SuiteError`` where it cannot be written."""
    text = json.dumps(plain(results), ensure_ascii=False, indent=1) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, suffix=".part", delete=False) as file:
            try:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
                Path(file.name).chmod(0o644)
                Path(file.name).replace(path)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise SuiteError(f"cannot write {path}: {error.strerror or error}") from None


def plain(record: SuiteResults) -> dict[str, Any]:
    """Plain JSON types, ``schema`` first."""
    return json.loads(record.model_dump_json(by_alias=True))
