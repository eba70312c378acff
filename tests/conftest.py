from hypothesis import HealthCheck, settings

pytest_plugins = [
    "tests.drift",
    "tests.servers",
    "tests.valkeys",
    "tests.certificates",
    "tests.programs",
    "tests.nodes",
    "tests.screens",
    "tests.people",
    "tests.outside",
    "tests.windows",
    "tests.second_tries",
]

# How fast a machine is decides no test. What else holds on it (CI draws the same examples every time) stays.
settings.register_profile(
    "unhurried", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("unhurried")
