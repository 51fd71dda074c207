# SPDX-License-Identifier: Apache-2.0
"""A robot's service: one file that says what runs, and what keeps it running.

config.py       The typed configuration: streams, what is said of them, devices, outputs, health.
reading.py      From robot.toml to it, with errors that name key, value and what was expected.
devices.py      From its devices to live sources.
difference.py   What of a new configuration takes effect at once, and what restarts the run.
outputs.py      Files of embeddings that are begun anew now and then, and finished after a crash.
places.py       Locks beside outputs, so that no two services write the same.
recordings.py   The same of recordings.
session.py      One run of the pipeline in a thread of its own.
plan_builds.py  Plans that are built while the service runs, and taken without a gap.
wanted_plans.py Which plans those are, and what makes them here.
commands.py     The processes that build them.
service.py      Sessions one after another: start, reload, stop.
progress.py     Whether what waits is being done.
keys.py         The keys of the file as tables, for its page.
health.py       The state of all that, in a file and at a loopback address.
notify.py       The same for systemd, with a watchdog.
"""
