"""The older check of citations, `eval.judge`, as a judge that always decides: to compare with."""

from eval.judge import judge
from eval.judges import Case, Ruling, Support

NAME = "containment"


class ContainmentJudge:
    """All numbers and names and 60 % of the words: supported; else not. Says nothing of facts."""

    name = NAME

    async def rule(self, case: Case) -> Ruling:
        """The verdict on one case."""
        if not isinstance(case, Support):
            return Ruling("undecided", NAME, "it judges sentences only")
        found = judge(case.sentence, [case.source])
        lacking = f"without {', '.join(found.missing)}" if found.missing else ""
        return Ruling("supported" if found.carried else "not", NAME, lacking)
