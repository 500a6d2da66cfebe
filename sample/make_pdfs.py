# SPDX-License-Identifier: Apache-2.0
"""Make the PDF notes and slide decks of the MERIDIAN sample.

All text is in this file. The output is deterministic (reportlab's invariant
mode), so a second run writes the same bytes:

    pip install reportlab
    python sample/make_pdfs.py
"""

from pathlib import Path

from reportlab.lib import colors
from reportlab.lib.pagesizes import A4, landscape
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

HERE = Path(__file__).resolve().parent

BODY = ParagraphStyle("body", fontName="Times-Roman", fontSize=11, leading=15, spaceAfter=7)
FORMULA = ParagraphStyle("formula", parent=BODY, fontName="Times-Italic", leftIndent=14 * mm)
HEAD = ParagraphStyle("head", fontName="Helvetica-Bold", fontSize=14, leading=18, spaceBefore=10, spaceAfter=6)
TITLE = ParagraphStyle("title", fontName="Helvetica-Bold", fontSize=19, leading=24, spaceAfter=10)
CAPTION = ParagraphStyle("caption", parent=BODY, fontSize=9.5, leading=12, spaceAfter=10)
SLIDE_TITLE = ParagraphStyle("stitle", fontName="Helvetica-Bold", fontSize=25, leading=30, spaceAfter=14, textColor=colors.HexColor("#12355b"))
SLIDE_BODY = ParagraphStyle("sbody", fontName="Helvetica", fontSize=17, leading=25, leftIndent=8 * mm, bulletIndent=0)

# A paper: number, title, authors, date, and a list of blocks:
#   ("h", heading) ("p", text) ("f", formula) ("t", caption, rows) ("b",) page break
PAPERS = {
    "MER-CONF-2026-09": {
        "title": "Luminosity determination for 2025 proton-proton data at 9.6 TeV",
        "authors": "The MERIDIAN Collaboration. Contact: N. El-Habashi",
        "date": "12 February 2026 (preliminary)",
        "blocks": [
            ("h", "Abstract"),
            ("p", "The luminosity recorded by MERIDIAN in 2025 is 41.1 fb-1. Its preliminary uncertainty is 1.5%. "
                  "The absolute scale comes from van der Meer scans taken on 17 May 2025; it is carried to the physics "
                  "conditions with the Luminosity Cherenkov Detector (LCD) and checked with track counting and Z counting."),
            ("h", "1 Introduction"),
            ("p", "The luminosity enters every cross-section. MERIDIAN has three instruments: the LCD, two rings of 16 quartz "
                  "tubes at 17.2 m on both sides of the interaction point; the Diamond Beam Monitor (DBM), meant for beam "
                  "protection; and the tracker. The LCD reads out every bunch crossing without dead time."),
            ("p", "For an algorithm with visible cross-section sigma_vis the luminosity of one bunch pair is"),
            ("f", "L_b = mu_vis * f_rev / sigma_vis,   f_rev = 14.01 kHz"),
            ("p", "where mu_vis is the mean number of visible interactions, which follows from the fraction of empty crossings:"),
            ("f", "mu_vis = -ln(1 - N_OR / N_BC)"),
            ("p", "for the OR of both sides. At mu = 38 and a visible cross-section of 61.3 mb the OR would saturate; the single-side "
                  "algorithm with a hit threshold of 15 photoelectrons is used instead above mu = 25."),
            ("b",),
            ("h", "2 Van der Meer scans"),
            ("p", "Five pairs of scans in x and y were done in fill 9417 with 124 colliding bunches, beta* = 19 m and no crossing angle. "
                  "The beams were separated by up to 6 sigma in 25 steps of 30 s. The visible cross-section is"),
            ("f", "sigma_vis = 2 pi * Sigma_x * Sigma_y * mu_vis(max) / (n1 * n2)"),
            ("p", "with Sigma_x and Sigma_y the convolved beam widths, and n1, n2 the bunch populations."),
            ("t", "Table 1: results of the scan pairs for the LCD (OR of both sides).",
             [["Scan", "Sigma_x (um)", "Sigma_y (um)", "sigma_vis (mb)"],
              ["1", "118.4", "121.0", "61.18"], ["2", "118.9", "121.6", "61.35"], ["3", "119.3", "122.1", "61.42"],
              ["4", "120.1", "122.8", "61.21"], ["5", "120.6", "123.3", "61.34"]]),
            ("p", "The mean is 61.3 mb; the spread of the scans is 0.16%. The bunch charge is known from the DC transformers to 0.3%. "
                  "Ghost charge was 0.12% and satellites 0.05% of the total."),
            ("h", "3 Factorisation"),
            ("p", "The formula holds if the beam density factorises in x and y. The luminous region was fitted with two double-Gauss "
                  "beams at each step; the bias is +0.4%, and is corrected. An uncertainty of 0.6% is given, from the difference "
                  "between two off-axis scans."),
            ("b",),
            ("h", "4 Transfer to physics conditions"),
            ("p", "Between the scan (mu = 0.4, isolated bunches) and physics (mu = 38, trains of 72 bunches) the LCD response changes: "
                  "afterglow adds 0.3% in trains, and the gain of the photomultipliers falls by 6.8% over the year. The gain is "
                  "followed with a laser system every fill. The remaining difference between LCD and track counting is"),
            ("f", "L(LCD) / L(tracks) = 1 + (0.00021 +- 0.00009) * (mu - 38)"),
            ("p", "The slope and the run-to-run spread give 1.2% for stability and linearity, the largest part of the preliminary "
                  "uncertainty."),
            ("t", "Table 2: preliminary uncertainty of the 2025 luminosity.",
             [["Source", "Uncertainty (%)"], ["Beam currents", "0.3"], ["Factorisation", "0.6"], ["Length scale", "0.2"],
              ["Orbit drift", "0.3"], ["Stability and linearity", "1.2"], ["Other", "0.5"], ["Total", "1.5"]]),
            ("h", "5 Z counting"),
            ("p", "The number of Z to mu mu decays per pb-1, corrected for efficiency, is flat within 0.7% over 2025. It is used for "
                  "relative checks only. The fiducial rate at the peak luminosity of 1.2e34 is 8.3 Hz."),
            ("b",),
            ("h", "6 Conclusion and plans"),
            ("p", "The preliminary luminosity of 2025 has an uncertainty of 1.5%. A final result is expected in summer 2026, with an "
                  "improved treatment of the LCD ageing from the laser data and with the emittance scans, of which 46 were taken in "
                  "regular fills. The aim is a total below 1.4%."),
            ("p", "A new van der Meer fill was asked for in March 2026 with beta* = 19 m. The LCD got new tubes on side C in January 2026; "
                  "therefore the visible cross-section of 2025 must not be used for 2026."),
            ("h", "Appendix: bunch patterns"),
            ("t", "Table 3: fills used for the stability studies.",
             [["Fill", "Date", "Bunches", "mu at start"], ["9320", "3 May 2025", "1 068", "36.2"], ["9417", "17 May 2025", "124", "0.4"],
              ["9588", "22 July 2025", "2 136", "41.5"], ["9731", "30 September 2025", "2 136", "42.0"]]),
        ],
    },
    "MER-INT-2026-014": {
        "title": "Transparency monitoring and energy resolution of the CEC in 2025 and 2026",
        "authors": "O. Adebarin, L. Fernandal, C. Montefalco (internal note)",
        "date": "2 July 2026",
        "blocks": [
            ("h", "Abstract"),
            ("p", "We describe how the light loss of the LYSO crystals of the CEC is followed by a laser system, what was changed for "
                  "2026, and the resolution reached with Z to e e events. The cycle was shortened from 60 to 40 minutes."),
            ("h", "1 The calorimeter"),
            ("p", "The CEC has 58 368 crystals of 24 radiation lengths, read out by two photodiodes each. The front end samples at 40 MHz "
                  "with two gains; the ratio of the gains is 11.2. High gain saturates at 157 GeV per crystal, at 38.5 MeV for one count."),
            ("p", "The energy of a cluster is"),
            ("f", "E = F(eta, E) * G * sum_i ( c_i * s_i(t) * A_i )"),
            ("p", "with A_i the amplitude in counts, s_i(t) the transparency correction, c_i the intercalibration, G the absolute scale, and "
                  "F a correction for leakage and for energy lost in front."),
            ("h", "2 Laser system"),
            ("p", "A 440 nm laser sends 1 200 pulses per crystal group; there are 88 groups. The pulses fall in the abort gap, with 95 Hz. "
                  "A whole cycle takes 40 minutes since June 2026. The transparency correction is"),
            ("f", "s_i(t) = ( R_0 / R_i(t) ) ** alpha,   alpha = 1.52 (barrel),  1.16 (end-cap)"),
            ("p", "where R is the ratio of the crystal to a reference diode. The exponent was measured in the test beam of 2021 and with "
                  "E/p of electrons in 2025; the two agree within 0.04."),
            ("b",),
            ("h", "3 Loss and recovery"),
            ("t", "Table 1: loss of light at the end of each period.",
             [["Period", "abs(eta) = 0.2", "abs(eta) = 1.4", "abs(eta) = 2.1", "abs(eta) = 2.8"],
              ["2025A", "0.9%", "1.8%", "4.4%", "8.1%"], ["2025B", "1.3%", "2.6%", "6.9%", "12.3%"],
              ["2026A", "1.5%", "3.1%", "8.2%", "14.0%"]]),
            ("p", "Recovery at room temperature has two time constants, 1.8 days and 41 days. In a technical stop of ten days the crystals "
                  "gain back a third of the loss."),
            ("h", "4 Energy resolution"),
            ("p", "In the barrel the resolution is parametrised, with (+) the sum in quadrature, as"),
            ("f", "sigma/E = 9.8% / sqrt(E) (+) 0.7% (+) 210 MeV / E"),
            ("p", "and in the end-cap with 11.6% and 1.2%. For an electron of 45 GeV in the barrel this is 1.69%. Without the laser "
                  "correction the constant term would be 2.4%."),
            ("b",),
            ("h", "5 Absolute scale"),
            ("p", "The scale G comes from the Z peak, by a template fit in 24 bins of eta. For 2026A the barrel gives 1.0124 with an "
                  "uncertainty of 0.0005, of which 0.0002 is statistical. The difference of electrons and photons is corrected from "
                  "simulation; its uncertainty at 60 GeV is 0.12%, mostly from the material of the pixel services (4% of a radiation length)."),
            ("t", "Table 2: uncertainty of the photon energy scale at ET = 60 GeV, barrel.",
             [["Source", "Uncertainty"], ["Z scale", "0.05%"], ["Electron to photon", "0.12%"], ["Gain switch", "0.04%"],
              ["Pile-up", "0.02%"], ["Total", "0.14%"]]),
            ("h", "6 Linearity"),
            ("p", "The gain switch at 157 GeV makes a step of 0.08% before and 0.04% after the new pedestal correction. It matters for the "
                  "di-electron resonances above 300 GeV."),
            ("b",),
            ("h", "7 What happens when the laser fails"),
            ("p", "If one cycle is missed, the correction is interpolated over two. The extra uncertainty in the end-cap is 0.03%. Three "
                  "missed cycles make the luminosity blocks intolerable. In 2026A this happened twice, in total for 9 hours (0.35 fb-1)."),
            ("h", "8 Plans"),
            ("p", "A second laser at 520 nm will be installed in the winter stop 2026/27 to separate radiation damage from changes of the "
                  "diodes. The budget is 140 kEUR. The reference diodes of groups 12 and 61 will be replaced."),
        ],
    },
}

# A deck: title, author line, and slides (title, bullets).
DECKS = {
    "menu_v8_status": ("Status of menu v8 after six weeks", "Y. Bektaroglu, Trigger meeting, 19 May 2026", [
        ("Where we are", ["Menu Physics_2026_v8 on-line since run 341118 (9 April)", "Peak luminosity up to now: 1.57e34",
                          "L1 output at the peak: 90 kHz, limit 100 kHz", "HLT output: 2.87 kHz in the mean of May"]),
        ("CPU", ["Start of fill: 81% of the farm", "Most expensive: full-scan tracking for missing ET, 212 ms per call",
                 "Goal for mu = 60: below 95%", "Second: electron precision step, 18 ms"]),
        ("Unique rates", ["HLT_e26_tight: 131 Hz unique of 212 Hz", "HLT_mu22_medium: 188 Hz unique of 245 Hz",
                          "HLT_xe110: 71 Hz unique of 95 Hz", "HLT_j380: 52 Hz unique of 61 Hz"]),
        ("Incidents", ["14 April: sectors 7/8 overlap flag (MEROPS-77), L1_2MU4 at 11.4 kHz",
                       "2 May: EM tower map with one swapped cable, fixed in 3 hours", "Lost because of the trigger: 0.9% of luminosity"]),
        ("Towards v9", ["First draft 15 January 2027", "L1_MU14 could become L1_MU16 if mu is above 60",
                        "New: jets with tracks at L1 are NOT foreseen before 2031"]),
    ]),
    "quay_status": ("Quay: state of the disks", "D. Volgarin, Computing operations, 16 July 2026", [
        ("Numbers", ["38 PB raw, 19 PB usable", "Filled: 87%", "Files: 412 million", "Servers: 164, of these 22 out of warranty in 2027"]),
        ("Who uses it", ["AOD and SLIM: 9.4 PB", "Group areas: 3.8 PB", "User areas: 2.9 PB, 1.1 PB not read for a year", "Scratch: 0.5 PB"]),
        ("Incidents in June", ["11 June: metadata server restarted, 26 minutes without service", "Disk failures: 19 (normal: 15 to 25 per month)",
                               "Lost files: 340, all with one copy in scratch"]),
        ("Plans", ["6 PB more raw disk in October 2026", "Erasure coding 10+3 for AOD: usable share from 50% to 77%",
                   "Test with period 2023A first, on 1 September 2026"]),
    ]),
    "sagitta_2026A2": ("Sagitta bias with alignment 2026-A2", "H. Minaseki, Muon performance, 29 June 2026", [
        ("Method", ["Z to mu mu, 6.1 million events of 2026A", "Mass of mu+ and mu- sides in 24 x 24 bins of eta and phi", "Iterate 6 times"]),
        ("Result", ["RMS of the bias: 0.05 per TeV (was 0.18)", "Largest bin: 0.21 per TeV at eta = -2.3, phi = 0.9",
                    "Radial scale from J/psi: within 2e-4"]),
        ("Effect on a resonance", ["At 750 GeV the mass resolution goes from 4.9% to 4.3%", "Charge splitting at the Z peak: 3 MeV"]),
        ("Recommendation", ["Use map sagitta_2026A2.root with MERID-DATA-2026-04", "No map from the tag on that holds the correction",
                            "Uncertainty: 50% of the correction"]),
    ]),
    "jes_2026_r1": ("JES-2026-R1", "B. Akerfeldt, Jet and missing ET meeting, 10 July 2026", [
        ("What is new", ["Z + jet with v3 tracks, 2025 and 2026A data", "New pile-up residual up to mu = 70", "Eta intercalibration in 36 bins"]),
        ("Uncertainty", ["20 GeV: 4.6%", "100 GeV: 1.1% (was 1.4%)", "500 GeV: 0.9%", "2 TeV: 2.4%, punch-through"]),
        ("Resolution", ["sigma(pT)/pT at 30 GeV: 19.5%", "at 100 GeV: 9.6%", "at 1 TeV: 4.2%",
                        "Formula: sigma/pT = N/pT (+) S/sqrt(pT) (+) C with N = 4.4 GeV, S = 0.74, C = 0.035"]),
        ("Nuisance parameters", ["Full set: 117", "Reduced: 23", "Flavour response at 60 GeV: 0.6%"]),
    ]),
}


def table(rows):
    t = Table(rows, hAlign="LEFT")
    t.setStyle(TableStyle([
        ("FONT", (0, 0), (-1, 0), "Helvetica-Bold", 10), ("FONT", (0, 1), (-1, -1), "Times-Roman", 10.5),
        ("GRID", (0, 0), (-1, -1), 0.4, colors.grey), ("BACKGROUND", (0, 0), (-1, 0), colors.whitesmoke)]))
    return t


def footer(left):
    def draw(canvas, doc):
        canvas.setFont("Helvetica", 8)
        canvas.drawString(18 * mm, 10 * mm, left)
        canvas.drawRightString(doc.pagesize[0] - 18 * mm, 10 * mm, f"{canvas.getPageNumber()}")
    return draw


def paper(number, data):
    out = HERE / "papers" / f"{number}.pdf"
    out.parent.mkdir(parents=True, exist_ok=True)
    doc = SimpleDocTemplate(str(out), pagesize=A4, invariant=1, title=data["title"], author=data["authors"], subject=number,
                            leftMargin=25 * mm, rightMargin=25 * mm, topMargin=22 * mm, bottomMargin=20 * mm)
    flow = [Paragraph(number, CAPTION), Paragraph(data["title"], TITLE), Paragraph(data["authors"], BODY), Paragraph(data["date"], BODY)]
    for block in data["blocks"]:
        kind = block[0]
        if kind == "h":
            flow.append(Paragraph(block[1], HEAD))
        elif kind == "p":
            flow.append(Paragraph(block[1], BODY))
        elif kind == "f":
            flow.append(Paragraph(block[1], FORMULA))
        elif kind == "t":
            flow += [table(block[2]), Spacer(1, 3), Paragraph(block[1], CAPTION)]
        else:
            flow.append(PageBreak())
    draw = footer(f"MERIDIAN {number}")
    doc.build(flow, onFirstPage=draw, onLaterPages=draw)


def deck(name, data):
    title, author, slides = data
    out = HERE / "indico" / "slides" / f"{name}.pdf"
    out.parent.mkdir(parents=True, exist_ok=True)
    doc = SimpleDocTemplate(str(out), pagesize=landscape(A4), invariant=1, title=title, author=author,
                            leftMargin=22 * mm, rightMargin=22 * mm, topMargin=22 * mm, bottomMargin=20 * mm)
    flow = [Spacer(1, 40 * mm), Paragraph(title, SLIDE_TITLE), Paragraph(author, SLIDE_BODY)]
    for head, bullets in slides:
        flow += [PageBreak(), Paragraph(head, SLIDE_TITLE)]
        flow += [Paragraph(b, SLIDE_BODY, bulletText="\u2022") for b in bullets]
    draw = footer(f"MERIDIAN - {title}")
    doc.build(flow, onFirstPage=draw, onLaterPages=draw)


if __name__ == "__main__":
    for number, data in PAPERS.items():
        paper(number, data)
    for name, data in DECKS.items():
        deck(name, data)
