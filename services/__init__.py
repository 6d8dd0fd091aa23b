"""The running system: frames come in, inspections, records and pages go out; one folder per process or seam."""
