"""The JSON of `/api/v1/review`: what a reviewer sees of a frame, and what they send back."""

from dataclasses import asdict
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from services.contract.inspection import Calibration, Decision, Region
from services.contract.names import ID_PATTERN
from services.contract.verdict import Answer, Verdict
from services.dashboard.views import View
from services.records.review_queue import Filter, Given, LineCount, Order
from services.records.standings import Claim
from services.review.agreement import Agreement, MachineAgreement
from services.review.errors import ConflictError
from services.review.queue import Item, Page
from services.review.verdicts import Done

MOST_AT_ONCE = 200


class ClaimView(View):
    by: str
    at: AwareDatetime
    until: AwareDatetime = Field(description="then anybody may take it; claiming again renews it")
    mine: bool

    @classmethod
    def of(cls, claim: Claim, user: str) -> Self:
        return cls(by=claim.user, at=claim.claimed_at, until=claim.expires_at, mine=claim.user == user)


class MachineView(View):
    """What the machine said."""

    score: float | None
    decision: Decision | None
    regions: tuple[Region, ...]
    map_kind: str | None
    has_map: bool
    model_version: str | None
    calibration: Calibration | None = Field(description="by which it was judged; its map_threshold is where the slider of the mask begins")
    reason: str = Field(description="why a person sees it: flagged or blind-check")
    probability: float


class ItemView(View):
    frame_id: str
    line: str
    camera: str
    captured_at: AwareDatetime
    written_at: AwareDatetime
    product: str | None
    part_id: str | None
    width: int | None
    height: int | None
    open: bool = Field(description="the caller may answer it")
    blind: bool = Field(description="a blind check: `machine`, `verdict` and `second` are not told before the caller has answered; say so in the verdict")
    claim: ClaimView | None
    machine: MachineView | None
    verdict: Verdict | None = Field(description="what counts now")
    second: Verdict | None = Field(description="the second reviewer's, which may have been withdrawn")

    @classmethod
    def of(cls, item: Item, user: str) -> Self:
        names = ("frame_id", "line", "camera", "captured_at", "written_at", "product", "part_id", "width", "height", "open")
        seen = item.seen
        return cls(
            **{name: getattr(item, name) for name in names},
            blind=seen is None,
            claim=ClaimView.of(item.claim, user) if item.claim else None,
            machine=MachineView(**{name: getattr(seen, name) for name in MachineView.model_fields}) if seen else None,
            verdict=seen.verdict if seen else None,
            second=seen.second if seen else None,
        )


class PageView(View):
    items: tuple[ItemView, ...]
    next: str | None = Field(description="`after` of the next page")

    @classmethod
    def of(cls, page: Page, user: str) -> Self:
        return cls(items=tuple(ItemView.of(item, user) for item in page.items), next=page.next)


class Asked(BaseModel):
    """Which frames. A filter on decision, score or class leaves blind checks out."""

    model_config = ConfigDict(extra="forbid")

    state: Literal["open", "answered"] = Field(default="open", description="open: the caller may answer it")
    line: str | None = None
    camera: str | None = None
    reason: Literal["flagged", "recorded", "blind"] | None = Field(default=None, description="blind: what is a blind check to the caller")
    decision: Decision | None = None
    score_from: float | None = None
    score_to: float | None = None
    defect_class: str | None = Field(default=None, description="of what was answered")
    since: AwareDatetime | None = Field(default=None, description="captured then or later")
    until: AwareDatetime | None = Field(default=None, description="captured before")
    skipped: bool = Field(default=False, description="with those that the caller skipped")

    def filter(self) -> Filter:
        return Filter(**{name: getattr(self, name) for name in Asked.model_fields})


class AskedPage(Asked):
    order: Order = Order.UNCERTAINTY
    after: str | None = Field(default=None, max_length=2000, description="`next` of the page before, of the same order")
    limit: int = Field(default=50, ge=1, le=200)


class AskedNext(Asked):
    order: Order = Order.UNCERTAINTY
    besides: tuple[str, ...] = Field(default=(), max_length=MOST_AT_ONCE, description="frames that the page has already")


class CountsView(View):
    lines: tuple["LineCountView", ...]
    undelivered: int = Field(description="verdicts that Kafka does not have yet")


class LineCountView(View):
    line: str
    open: int = Field(description="to be answered, blind checks apart")
    blind: int = Field(description="to be answered blind")
    claimed: int = Field(description="of both, with others now")
    skipped: int = Field(description="of both, skipped by the caller")
    answered: int

    @classmethod
    def of(cls, count: LineCount) -> Self:
        return cls(**asdict(count))


class VerdictForm(BaseModel):
    """The fields of a verdict; `mask` is a file beside them."""

    model_config = ConfigDict(extra="forbid")

    answer: Literal["defect", "good"]
    defect_class: str | None = Field(default=None, description="one of the line's")
    threshold: float | None = Field(default=None, ge=0, le=1, description="the anomaly map from here on is the mask; instead of a drawn one")
    blind: bool = Field(default=False, description="as the item said when it was shown")
    supersedes: str | None = Field(default=None, description="verdict_id of the answer that the caller saw and corrects")
    verdict_id: str | None = Field(default=None, pattern=r"^[A-Za-z0-9-]{8,64}$", description="made by the caller, so that sending it again changes nothing")


VERDICT_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    **VerdictForm.model_json_schema(),
                    "properties": {
                        **VerdictForm.model_json_schema()["properties"],
                        "mask": {
                            "type": "string",
                            "format": "binary",
                            "description": "PNG of exactly the frame's pixels; of a canvas its alpha above 127 is defective, else its brightness",
                        },
                    },
                }
            }
        },
    }
}
"""Read by hand (uploads.py), so described by hand."""


class BulkForm(BaseModel):
    model_config = ConfigDict(extra="forbid")

    frame_ids: tuple[str, ...] = Field(min_length=1, max_length=MOST_AT_ONCE)
    action: Literal["claim", "release", "skip", "good", "defect"] = Field(description="defect: with the mask that the line's own map threshold makes")
    defect_class: str | None = None


class ConflictView(View):
    kind: Literal["claimed", "answered"]
    by: str
    at: AwareDatetime

    @classmethod
    def of(cls, conflict: ConflictError) -> Self:
        return cls(kind=conflict.kind, by=conflict.by, at=conflict.at)


class ConflictProblem(View):
    """The body of a 409."""

    detail: str
    conflict: ConflictView


class DoneView(View):
    frame_id: str
    done: bool
    verdict_id: str | None
    detail: str | None = Field(description="why nothing was done")
    conflict: ConflictView | None

    @classmethod
    def of(cls, done: Done) -> Self:
        conflict = ConflictView.of(done.problem) if isinstance(done.problem, ConflictError) else None
        detail = str(done.problem) if done.problem else None
        return cls(
            frame_id=done.frame_id, done=done.problem is None, verdict_id=done.verdict.verdict_id if done.verdict else None, detail=detail, conflict=conflict
        )


class GivenView(View):
    id: int = Field(description="grows in the order in which verdicts were given")
    current: bool = Field(description="nothing supersedes it")
    verdict: Verdict

    @classmethod
    def of(cls, given: Given) -> Self:
        return cls(id=given.id, current=given.current, verdict=given.verdict)


class ClassForm(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(pattern=ID_PATTERN, description="in verdicts and data sets")]
    label: Annotated[str, Field(min_length=1, max_length=200, description="for people")]


class AgreementView(View):
    """Figures of all lines together (`line` null) and of each."""

    reviewers: tuple[dict[str, Any], ...] = Field(description="first against second reviewers: pairs, both_defect, both_good, ..., agreement, kappa")
    machine: tuple[dict[str, Any], ...] = Field(description="first reviewers against the machine: flagged, false_rejects, passed, missed, missed_share")

    @classmethod
    def of(cls, reviewers: list[Agreement], machine: list[MachineAgreement]) -> Self:
        return cls(reviewers=tuple(map(asdict, reviewers)), machine=tuple(map(asdict, machine)))


ANSWERS = {answer.value: answer for answer in (Answer.DEFECT, Answer.GOOD)}
