"""The parts of the benchmark, a module each: run(report)."""
