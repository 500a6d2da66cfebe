// SPDX-License-Identifier: Apache-2.0
/**
 * @file CecTransparency.cc
 * @brief Transparency correction of the Crystal Electromagnetic Calorimeter.
 *
 * The response of a crystal falls under radiation and comes back in pauses.
 * A laser of 440 nm measures the ratio R(t) of crystal and reference diode once
 * per cycle. The correction of the energy is
 *
 *     s(t) = (R0 / R(t)) ^ alpha
 *
 * with R(t) interpolated linearly between two laser points. Package owner:
 * O. Adebarin. Configuration comes from the Sextant table CEC/Transparency.
 */
#include <cmath>
#include <cstdint>
#include <optional>

namespace polaris::cec {

/// Longest distance of two laser points that is interpolated without a flag, in seconds.
/// It was 4000 s when the cycle took 60 minutes (releases before v3.1.0).
constexpr double kMaxGap = 2700.0;

/// From this number of missed cycles on, no correction is returned.
constexpr int kMaxMissedCycles = 3;

/// Exponents of the power law; see MER-INT-2026-014, section 2.
constexpr double kAlphaBarrel = 1.52;
constexpr double kAlphaEndcap = 1.16;

/// Corrections outside this range are clipped, and kClipped is set.
constexpr double kMinCorrection = 0.80;
constexpr double kMaxCorrection = 1.60;

enum Flag : std::uint8_t { kGood = 0, kLaserGap = 1, kClipped = 2 };

struct LaserPoint {
  double time;   ///< seconds since the start of the run
  double ratio;  ///< crystal over reference diode
};

struct Correction {
  double value = 1.0;
  std::uint8_t flags = kGood;
};

/**
 * @brief Correction at time @p t for a crystal between two laser points.
 *
 * @param before  last point not later than @p t
 * @param after   first point later than @p t
 * @param r0      reference ratio at the start of the year
 * @param endcap  true for |eta| > 1.56
 * @return nothing when three or more cycles are missing: the luminosity block is
 *         then intolerable and the caller must set the defect CEC_LASER_OFF.
 */
std::optional<Correction> transparency(const LaserPoint& before, const LaserPoint& after, double t, double r0,
                                       bool endcap) {
  const double gap = after.time - before.time;
  if (gap > kMaxMissedCycles * kMaxGap) return std::nullopt;

  const double w = gap > 0.0 ? (t - before.time) / gap : 0.0;
  const double ratio = (1.0 - w) * before.ratio + w * after.ratio;

  Correction c;
  c.value = std::pow(r0 / ratio, endcap ? kAlphaEndcap : kAlphaBarrel);
  if (gap > kMaxGap) c.flags |= kLaserGap;
  if (c.value < kMinCorrection || c.value > kMaxCorrection) {
    c.value = std::fmin(std::fmax(c.value, kMinCorrection), kMaxCorrection);
    c.flags |= kClipped;
  }
  return c;
}

}  // namespace polaris::cec
