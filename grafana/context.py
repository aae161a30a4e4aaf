"""What all dashboards of one build have in common."""

from __future__ import annotations

from dataclasses import dataclass

from grafana.queries import Flavour
from grafana.texts import Language, translate
from setpoint.plan import Plan


@dataclass(frozen=True, slots=True)
class Context:
    """For which data source, in which language, and with whose thresholds (the plan's, or none)."""

    flavour: Flavour
    language: Language = "en"
    plan: Plan | None = None

    def text(self, english: str) -> str:
        """The text in the language of the build."""
        return translate(english, self.language)
