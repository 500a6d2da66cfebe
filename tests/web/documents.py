"""Invented documents: one of every kind of block, a hostile one, and one for the board only."""

from ingest.model import BlockKind
from tests.web.fake import a_document

HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"

H, P = BlockKind.HEADING, BlockKind.PROSE

# The magnets are outside the basic plane of Unicode: offsets that count UTF-16 units go wrong here.
MENU = a_document(
    "twiki:Trigger/MuonMenu.txt",
    "Muon trigger menu",
    (H, "Muon trigger menu"),
    (P, "The menu of the 2025 run, kept by the trigger group. 🧲🧲 Ask before you change it."),
    (H, "Thresholds"),
    (
        P,
        "The L1_MU4 trigger 🧲 fires at 4 GeV in the barrel and needs two stations. "
        "It is prescaled by 20 at high luminosity.",
    ),
    (
        BlockKind.TABLE,
        "trigger | threshold | stations | rate\n"
        "L1_MU4 | 4 GeV | 2 | 21 kHz\n"
        "L1_MU10 | 10 GeV | 3 | 6.5 kHz\n"
        "L1_MU20 |  | 3 | 1.2 kHz\n"
        "| a|b | 3 |",
    ),
    (H, "Changing a threshold"),
    (
        BlockKind.LIST,
        "1. Open an issue in the menu project.\n"
        "2. Attach the rate study.\n"
        "  - for the barrel\n"
        "  - for both end-caps\n"
        "3. Wait for the trigger meeting on Tuesday.\n"
        "  It begins at nine.",
    ),
    (
        BlockKind.CODE,
        'from menu import Threshold\n\nThreshold("L1_MU4", gev=4, stations=2).check()',
    ),
    *[(P, f"Entry {n} of the change log: nothing that matters in week {n}.") for n in range(1, 30)],
    (H, "Contact"),
    (
        P,
        "The muon trigger is looked after by Ines Okafor. "
        "Shifters call the trigger expert phone first.",
    ),
    url="https://wiki.example.org/Trigger/MuonMenu",
)

SHIFTS = a_document(
    "docs:shifts/run-coordination.md",
    "Run coordination: what a shifter does when the rate of a trigger doubles",
    (H, "Rates"),
    (
        P,
        "When the rate of a muon trigger doubles, the shifter looks at the barrel stations first. "
        "Then the shifter calls the trigger expert.",
    ),
    url="https://docs.example.org/shifts/run-coordination/",
)

HOSTILE_PAGE = a_document(
    "mail:hostile",
    HOSTILE,
    (P, f"A hostile page: {HOSTILE} and nothing else."),
    url="javascript:document.title='owned'",
)

BOARD = a_document(
    "board:secret",
    "Board minutes",
    (P, "The board moves the L1_MU4 trigger to 5 GeV."),
    access=frozenset({"board"}),
)

DOCUMENTS = [MENU, SHIFTS, HOSTILE_PAGE, BOARD]
