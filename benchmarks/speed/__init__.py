"""What costs time and memory in training: measurements, the machine's limits, and their page.

    python -m benchmarks.speed [--sizes 64 96] [--quick]

`pieces` has what is measured and in which forms, `measure` one of them in a process of its own,
`limits` what the machine can do, `runs` the measurements in turns, `targets` and `page` what is
written.
"""
