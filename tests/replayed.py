"""A race run again out of what a whole grid has recorded, for tests and benchmarks."""

from collections.abc import Mapping, Sequence

from core.advice.costs import Candidate
from core.advice.race import Place, Race, Recorded, Standing, stand


def replay(
    race: Race, candidates: Sequence[Candidate], recorded: Mapping[Place, Recorded]
) -> tuple[list[Recorded], Standing]:
    """Run a race again out of what a whole grid has recorded.

    Args:
        race: What it is about.
        candidates: All strategies, with their costs.
        recorded: Every run that the race may ask for.

    Returns:
        The runs it asks for, in order, and how it ends.

    Raises:
        ValueError: If it asks for a run that was not recorded.
    """
    runs: list[Recorded] = []
    standing = stand(race, candidates, runs)
    while standing.next is not None:
        if standing.next not in recorded:
            name, seed = standing.next
            raise ValueError(f"the race asks for {name}, seed {seed}, which was not recorded")
        runs.append(recorded[standing.next])
        standing = stand(race, candidates, runs, dropped=standing.dropped)
    return runs, standing
