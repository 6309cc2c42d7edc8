/**
 * The Python program that relaxes a structure with OpenMM: hydrogens and missing atoms added by PDBFixer, energy of the
 * Amber99SB force field minimized with the heavy atoms held by springs, as AlphaFold's pipeline does.
 *
 * Source: Jumper et al. (2021), Suppl. 1.8.6 "Amber relaxation".
 */
export const RELAX_PROGRAM = `\
import json, sys, time

def main():
    job = json.load(sys.stdin)
    try:
        import openmm
        from openmm import app, unit
    except ImportError:
        from simtk import openmm
        from simtk.openmm import app
        from simtk import unit
    from pdbfixer import PDBFixer

    started = time.time()
    fixer = PDBFixer(filename=job["input"])
    fixer.findMissingResidues()
    fixer.missingResidues = {}  # what was not predicted stays out
    fixer.findNonstandardResidues()
    fixer.replaceNonstandardResidues()
    fixer.removeHeterogens(False)
    fixer.findMissingAtoms()
    fixer.addMissingAtoms(seed=0)
    fixer.addMissingHydrogens(7.0)

    field = app.ForceField("amber99sb.xml")
    system = field.createSystem(fixer.topology, constraints=app.HBonds)
    stiffness = job["stiffness"] * unit.kilocalories_per_mole / unit.angstrom**2
    springs = openmm.CustomExternalForce("0.5 * k * ((x-x0)^2 + (y-y0)^2 + (z-z0)^2)")
    springs.addGlobalParameter("k", stiffness)
    for axis in ("x0", "y0", "z0"):
        springs.addPerParticleParameter(axis)
    for atom, position in zip(fixer.topology.atoms(), fixer.positions):
        if atom.element is not None and atom.element.symbol != "H":
            springs.addParticle(atom.index, position)
    system.addForce(springs)

    integrator = openmm.LangevinIntegrator(0 * unit.kelvin, 0.01 / unit.picosecond, 0.0 * unit.picosecond)
    names = [openmm.Platform.getPlatform(i).getName() for i in range(openmm.Platform.getNumPlatforms())]
    wanted = job["platform"] or next((name for name in ("CUDA", "OpenCL", "CPU", "Reference") if name in names))
    simulation = app.Simulation(fixer.topology, system, integrator, openmm.Platform.getPlatformByName(wanted))
    simulation.context.setPositions(fixer.positions)

    def energy():
        state = simulation.context.getState(getEnergy=True)
        return state.getPotentialEnergy().value_in_unit(unit.kilocalories_per_mole)

    before = energy()
    simulation.minimizeEnergy(
        maxIterations=job["iterations"],
        tolerance=job["tolerance"] * unit.kilocalories_per_mole,
    )
    after = energy()
    state = simulation.context.getState(getPositions=True)
    with open(job["output"], "w") as file:
        app.PDBFile.writeFile(fixer.topology, state.getPositions(), file, keepIds=True)
    print(json.dumps({
        "energyBefore": before,
        "energyAfter": after,
        "platform": wanted,
        "openmm": openmm.version.version if hasattr(openmm, "version") else openmm.__version__,
        "seconds": time.time() - started,
    }))

main()
`;
