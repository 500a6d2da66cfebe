// SPDX-License-Identifier: Apache-2.0
/**
 * @file TagProbePairs.cc
 * @brief Builds tag-and-probe pairs of muons for the efficiency measurement.
 *
 * Every muon can be tag and probe; a pair enters twice when both legs are good
 * tags. This is wanted: leaving one of them out at random loses statistics, and
 * taking the leading one as tag biases the probe.
 */
#include <cmath>
#include <vector>

namespace compass::tnp {

/// Window of the invariant mass (GeV). The J/psi sample has its own: 2.7 to 3.5.
constexpr double kMassLow = 81.0;
constexpr double kMassHigh = 101.0;

/// Smallest opening angle, so that the probe is not in the isolation cone of the tag.
constexpr double kMinDeltaR = 0.3;

/// Largest |z0 difference| of the two tracks in mm.
constexpr double kMaxDeltaZ0 = 2.0;

/// The tag must lie this much above the trigger threshold (GeV).
constexpr double kTagAboveThreshold = 2.0;

struct Track {
  double pt, eta, phi, z0;
  int charge;
  bool isMedium, firedTrigger;
};

struct Pair {
  std::size_t tag, probe;
  double mass;
  bool sameCharge;  ///< used for the background estimate
};

inline double deltaPhi(double a, double b) { return std::remainder(a - b, 2.0 * M_PI); }

/// Massless approximation; at the Z the muon mass changes it by less than 0.1 MeV.
inline double pairMass(const Track& a, const Track& b) {
  return std::sqrt(2.0 * a.pt * b.pt * (std::cosh(a.eta - b.eta) - std::cos(deltaPhi(a.phi, b.phi))));
}

/// True for a muon that may be a tag of a chain with this online threshold.
inline bool isTag(const Track& t, double threshold) {
  return t.isMedium && t.firedTrigger && t.pt > threshold + kTagAboveThreshold;
}

/**
 * @brief All pairs of an event.
 * @param threshold  of the single-muon chain, 22 for HLT_mu22_medium
 * @param probeMinPt lower cut on the probe (GeV)
 */
std::vector<Pair> makePairs(const std::vector<Track>& tracks, double threshold, double probeMinPt) {
  std::vector<Pair> pairs;
  for (std::size_t i = 0; i < tracks.size(); ++i) {
    if (!isTag(tracks[i], threshold)) continue;
    for (std::size_t j = 0; j < tracks.size(); ++j) {
      if (i == j || tracks[j].pt < probeMinPt) continue;
      const double dEta = tracks[i].eta - tracks[j].eta;
      if (std::hypot(dEta, deltaPhi(tracks[i].phi, tracks[j].phi)) < kMinDeltaR) continue;
      if (std::abs(tracks[i].z0 - tracks[j].z0) > kMaxDeltaZ0) continue;
      const double mass = pairMass(tracks[i], tracks[j]);
      if (mass < kMassLow || mass > kMassHigh) continue;
      pairs.push_back({i, j, mass, tracks[i].charge == tracks[j].charge});
    }
  }
  return pairs;
}

}  // namespace compass::tnp
