"""Findings: the problems and warnings that come up while planning, gathered and located."""

from __future__ import annotations

from event.problems import Path, PlanError, Problem, path_text
from event.stack import Locate


class Findings:
    """Problems and warnings of one plan; a list that the checks write to."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.warnings: list[str] = []

    def scope(self, locate: Locate) -> Scope:
        """Where findings about one stack file are written down."""
        return Scope(self, locate)

    def stop_if_any(self) -> None:
        """Raise `PlanError` with all problems so far; warnings never stop a plan."""
        if self.problems:
            raise PlanError(self.problems)


class Scope:
    """Findings about one stack file; paths are keys from `event` or `site` inwards."""

    def __init__(self, findings: Findings, locate: Locate) -> None:
        self._findings = findings
        self._locate = locate

    def problem(
        self, path: Path, message: str, *, found: str | None = None, hint: str = ""
    ) -> None:
        """Write down what cannot be planned, at the place in the file that says so."""
        self._findings.problems.append(
            Problem(
                where=self._locate(path),
                path=path_text(path),
                found=found,
                message=message,
                hint=hint,
            )
        )

    def warn(self, path: Path, message: str, *, found: str | None = None, hint: str = "") -> None:
        """Write down what is allowed but may be a mistake.

        A warning has no line: it is part of the plan, which a comment in the file must not change.
        """
        self._findings.warnings.append(
            str(Problem(path=path_text(path), found=found, message=message, hint=hint))
        )
