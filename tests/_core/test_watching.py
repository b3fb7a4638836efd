"""What a watcher is told: every move raises the revision, nothing is lost, nothing comes twice."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durable_execution._core.progress import Progress
from durable_execution._core.status import FINISHED, STATUSES, Status
from durable_execution._core.transitions import IllegalTransitionError, Move
from durable_execution._core.watching import START, Position, next_news, position_of, revision_of
from durable_execution.errors import InvalidOptionError
from tests._core.acts import ACTS, Act
from tests._core.records import record_in


class State(NamedTuple):
    """What a look sees."""

    status: Status
    fence: int
    progress: Progress | None = None


@pytest.mark.parametrize(("move", "act"), ACTS.values(), ids=list(ACTS))
@pytest.mark.parametrize("status", sorted(STATUSES))
def test_every_legal_move_raises_the_revision(status: Status, move: Move, act: Act) -> None:
    before = record_in(status)
    try:
        after = act(before)
    except IllegalTransitionError:
        return
    risen = revision_of(after.status, after.fence) - revision_of(before.status, before.fence)
    # Where an attempt goes on is no matter of those who watch its execution.
    assert risen == 0 if move in ("park", "extend") else risen > 0


def test_revisions_begin_above_the_start() -> None:
    assert revision_of("running", 0) > START.revision  # a sleeping execution is born so
    assert revision_of("ready", 0) > START.revision


def _moved(state: State, move: str) -> State:
    """A few moves stand for all: which fence and status they lead to is tested above."""
    status, fence, progress = state
    match (status, move):
        case ("ready", "go on"):
            return State("running", fence + 1, progress)
        case ("running", "go back"):
            return State("ready", fence, progress)
        case ("running", "go on"):
            return State("waiting_for_children", fence + 1, progress)
        case ("waiting_for_children", "go on"):
            return State("waiting_for_children", fence + 1, progress)
        case ("running", "report"):
            number = progress.number + 1 if progress and progress.fence == fence else 1
            return State(status, fence, Progress(fence, number, 0.5, None, 0))
        case (("ready" | "running" | "waiting_for_children"), "finish"):
            return State("completed", fence, progress)
    return state


@st.composite
def lives(draw: st.DrawFn) -> list[State]:
    states = [State("ready", 0)]
    moves = st.sampled_from(["go on", "go back", "report", "report", "finish"])
    while states[-1].status not in FINISHED and len(states) < 40:
        states.append(_moved(states[-1], draw(moves)))
    states.append(_moved(states[-1], "finish"))
    return states


def _tell_all(at: Position, state: State) -> tuple[list[str], Position]:
    told = []
    while (news := next_news(at, *state)) is not None:
        told.append(news[0])
        at = news[1]
    return told, at


@given(lives(), st.data())
def test_looks_tell_the_newest_once_and_the_finish_last(
    life: list[State], data: st.DataObject
) -> None:
    looked_at = data.draw(st.lists(st.sampled_from(range(len(life))), max_size=20).map(sorted))
    at, positions = START, [START]
    statuses: list[int] = []
    progresses: list[tuple[int, int]] = []
    for place in [*looked_at, len(life) - 1]:
        state = life[place]
        while (news := next_news(at, *state)) is not None:
            what, to = news
            assert to.to_id() != at.to_id()
            if what == "status":
                statuses.append(to.revision)
                assert to.progress == at.progress
            else:
                progresses.append(to.progress)
                assert to.revision == at.revision
            # Whoever goes on from the id, in whatever process, is told the same.
            at = position_of(to.to_id())
            assert at == to
            positions.append(at)
        newest = revision_of(state.status, state.fence)
        assert at.revision == newest, "the newest state was not told"
        assert state.progress is None or at.progress == state.progress.place
    assert statuses == sorted(set(statuses))
    assert progresses == sorted(set(progresses))
    assert positions == sorted(set(positions), key=lambda each: (each.revision, each.progress))
    last = life[-1]
    assert statuses[-1] == revision_of(last.status, last.fence)
    for resumed in positions:
        told, end = _tell_all(resumed, last)
        assert end == at
        assert told in ([], ["status"], ["progress", "status"]), "the finish comes last"


def test_status_is_told_before_the_progress_of_its_attempt() -> None:
    state = State("running", 1, Progress(1, 1, 0.5, None, 0))
    assert _tell_all(START, state)[0] == ["status", "progress"]
    assert _tell_all(START, state._replace(status="completed"))[0] == ["progress", "status"]


@pytest.mark.parametrize(
    "text", ["", "1", "1.2", "1.2.3.4", "-1.0.0", "01.0.0", "1.0.0\n", " 1.0.0", "1.٣.0", "9" * 20]
)
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(InvalidOptionError, match="after must be the id of a change"):
        position_of(text)


def test_none_is_the_start() -> None:
    assert position_of(None) == START == position_of("0.0.0")
