"""``python -m rollout`` is the command line."""

from rollout.cli.main import run

if __name__ == "__main__":
    run()
