"""The page for people: plain HTML, made here, that works without scripts."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final
from urllib.parse import quote, urlencode

import jinja2
from markupsafe import Markup, escape

from collector.exports.ordering import in_order
from collector.exports.quantity import age_text, duration, quantity, time_text
from collector.watched import STATES
from collector.web.presence import PRESENCES, presence
from collector.web.view import CollectorView, Language
from collector.web.words import LANGUAGES, translate
from setpoint.codes import code_name
from setpoint.finding import Finding

# What a browser shows at once, and a person can take in; /api/now and the exports have everything.
SHOWN_ROWS: Final = 200
SHOWN_FINDINGS: Final = 200
SEVERITIES: Final = ("critical", "warning", "info")
FINDING_STATES: Final = ("open", "closed", "superseded", "all")
REFRESH_S: Final = 10

_BOLD: Final = re.compile(r"\*\*(.+?)\*\*", re.DOTALL)
_CODE: Final = re.compile(r"`([^`]+)`")


@dataclass(frozen=True, slots=True)
class Look:
    """How the page is asked for: in which language, and whether it loads itself again."""

    language: Language = "en"
    refresh: bool = True

    def link(self, path: str, **changes: Any) -> str:
        """The path with the parameters that keep this look, but for the changes."""
        asked = {"lang": self.language, "refresh": "on" if self.refresh else "off", **changes}
        usual = {"lang": "en", "refresh": "on", "state": "open"}
        said = {key: value for key, value in asked.items() if usual.get(key) != value}
        return f"{path}?{urlencode(said)}" if said else path


class Pages:
    """Renders what a view answers."""

    def __init__(self, view: CollectorView) -> None:
        self._view = view
        self._style = hashlib.sha256(stylesheet()).hexdigest()[:8]
        """In the style sheet's address, so that a browser does not show a new page in the old style."""
        self._templates = jinja2.Environment(
            loader=jinja2.PackageLoader("collector.web"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters["marked"] = marked
        self._templates.tests["moment"] = lambda value: isinstance(value, int | float) and value > 1e11

    async def overview(self, look: Look) -> str:
        """Counts, open findings, agents, latest values."""
        view = self._view
        now_ms = view.clock_ms()
        findings = in_order(await view.findings("open"))
        rows = view.now(look.language)
        agents = [(presence(agent, now_ms), agent) for agent in view.agents()]
        agents.sort(key=lambda pair: (PRESENCES.index(pair[0]) == 0, pair[1].site, pair[1].name))
        return self._render(
            "overview.html",
            look,
            "/",
            health=view.health(),
            findings=findings[:SHOWN_FINDINGS],
            finding_counts=_counts(SEVERITIES, (f.severity for f in findings)),
            findings_total=len(findings),
            agents=agents,
            agent_counts=_counts(PRESENCES, (name for name, _ in agents)),
            rows=rows[:SHOWN_ROWS],
            rows_total=len(rows),
            row_counts=[(state, count) for state, count in _counts(STATES, (r.state for r in rows)) if count],
            counters=view.counters(),
        )

    async def findings(self, look: Look, state: str) -> str:
        """The list of findings in one state, or of all."""
        found = in_order(await self._view.findings(None if state == "all" else state))  # type: ignore[arg-type]
        return self._render(
            "findings.html",
            look,
            "/findings",
            state=state,
            states=FINDING_STATES,
            findings=found[:SHOWN_FINDINGS],
            findings_total=len(found),
        )

    async def finding(self, look: Look, finding_id: str) -> str | None:
        """One finding with all that it rests on; None when there is none with this id."""
        finding = await self._view.finding(finding_id)
        if finding is None:
            return None
        return self._render(
            "finding.html",
            look,
            f"/findings/{quote(finding.id, safe='')}",
            finding=finding,
            # The finding's own unit is that of its gap, which may be a length of time.
            unit=next((p.unit for p in self._view.plan().points if p.id == finding.point), finding.unit),
            samples_link=_samples_link(finding),
            series_link=finding.evidence.query if finding.evidence.query.startswith("/api/") else "",
        )

    def error(self, look: Look, status: int, message: str) -> str:
        """What went wrong, for people."""
        return self._render("error.html", look, "/", status=status, message=message)

    def _render(self, template: str, look: Look, path: str, **values: Any) -> str:
        view, now_ms = self._view, self._view.clock_ms()

        def word(text: str, *parts: object) -> str:
            return translate(text, look.language).format(*parts) if parts else translate(text, look.language)

        return self._templates.get_template(template).render(
            look=look,
            path=path,
            refresh_s=REFRESH_S,
            languages=LANGUAGES,
            plan=view.plan(),
            now_ms=now_ms,
            uptime=duration((now_ms - view.started_ms) / 1000, look.language),
            version=view.version,
            style=self._style,
            _=word,
            code_name=lambda metric, value: code_name(metric, value, look.language),
            quantity=lambda value, unit="", signed=False: quantity(value, unit, look.language, signed=signed),
            length=lambda milliseconds: duration(milliseconds / 1000, look.language),
            headline=lambda finding: headline(finding, look.language),
            iso=time_text,
            ago=lambda time_ms: age_text(time_ms, now_ms, look.language),
            **values,
        )


def marked(text: str) -> Markup:
    """The Markdown of findings as HTML: bold and code. Everything else is shown as it is written."""
    safe = str(escape(text))
    return Markup(_CODE.sub(r"<code>\1</code>", _BOLD.sub(r"<strong>\1</strong>", safe)))


def headline(finding: Finding, language: Language) -> str:
    """The title in the language: what stands in bold at the beginning of its text."""
    found = None if language == "en" else _BOLD.match(finding.text.get(language, ""))
    return found[1].rstrip("。") if found else finding.title


def stylesheet() -> bytes:
    """The page's style sheet."""
    return files("collector.web").joinpath("static/setpoint.css").read_bytes()


def icon() -> bytes:
    """The page's icon, SVG."""
    return files("collector.web").joinpath("static/setpoint.svg").read_bytes()


def _counts(names: Sequence[str], found: Iterable[str]) -> list[tuple[str, int]]:
    counts = Counter(found)
    return [(name, counts[name]) for name in names]


def _samples_link(finding: Finding) -> str:
    """Where the API shows the samples of the finding's period; "" where it is not about one metric."""
    if not finding.metric or not finding.subject:
        return ""
    asked = [
        ("metric", finding.metric),
        *(("tag", f"{key}={value}") for key, value in finding.subject.items()),
    ]
    period = [("start", finding.evidence.start_ms), ("end", finding.evidence.end_ms)]
    return f"/api/samples?{urlencode([*asked, *period])}"
