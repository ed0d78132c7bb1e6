"""Unit factors (CODATA 2018). Inside qff: eV, Å, amu, fs; forces in eV/Å."""

HARTREE_IN_EV = 27.211386245988
BOHR_IN_ANG = 0.529177210903
HARTREE_PER_BOHR_IN_EV_PER_ANG = HARTREE_IN_EV / BOHR_IN_ANG
EV_IN_MEV = 1000.0
KCAL_PER_MOL_IN_EV = 4184.0 / (6.02214076e23 * 1.602176634e-19)
BOLTZMANN_EV_PER_K = 8.617333262e-5
SPEED_OF_LIGHT_CM_PER_FS = 2.99792458e-5


def wavenumber(period_fs: float) -> float:
    """Wavenumber in cm⁻¹ of an oscillation whose period is given in fs."""
    return 1.0 / (period_fs * SPEED_OF_LIGHT_CM_PER_FS)


# 1 eV/(amu Å²) = 1.602176634e-19 J / (1.66053906660e-27 kg · 1e-20 m²) = 9.648533212e27 s⁻²: one eV in amu Å²/fs².
EV_IN_AMU_ANG2_PER_FS2 = 9.648533212331e-3


def harmonic_wavenumber(curvature_ev_per_ang2: float, reduced_mass_amu: float) -> float:
    """Harmonic wavenumber in cm⁻¹ from a curvature (eV/Å²) and a reduced mass (amu): ω = sqrt(k/μ)."""
    omega = (EV_IN_AMU_ANG2_PER_FS2 * curvature_ev_per_ang2 / reduced_mass_amu) ** 0.5
    return omega / (2 * 3.141592653589793 * SPEED_OF_LIGHT_CM_PER_FS)
