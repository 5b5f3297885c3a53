"""Local push services that behave as the real ones do, with browsers that receive."""
