"""Print the coverage of the last tests and hold it at the floor of pyproject.toml.

It fails below the floor, and asks to raise it where coverage has grown well above, so that what was won cannot be lost
unseen.
"""

import sys

import coverage

SLACK = 2.0
"""Percentage points that coverage may lie above the floor: environments without a GPU or an extra differ by less."""

measured = coverage.Coverage()
measured.load()
measured.xml_report(outfile="coverage.xml")
total = measured.report(skip_covered=True, skip_empty=True, sort="cover", show_missing=False)
floor = float(measured.config.fail_under)
if total < floor:
    sys.exit(f"Coverage fell: {total:.2f} %, the floor is {floor:g} % (pyproject.toml, tool.coverage.report)")
if total > floor + SLACK:
    print(f"Coverage grew to {total:.2f} %: raise the floor of {floor:g} % to {int(total)} % in pyproject.toml")
print(f"coverage {total:.2f} %, floor {floor:g} %")
