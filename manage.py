#!/usr/bin/env python3
"""Django's command line for Marrowloop: `.venv/bin/python manage.py COMMAND`."""

import sys

try:
    from config.command_line import complain, manage
except ImportError as error:
    sys.exit(f"{error}; set Marrowloop up with ./run --setup and use .venv/bin/python.")

if __name__ == "__main__":
    sys.exit(complain(lambda: manage(sys.argv)))
