"""`python -m gpu_qa` is the command `gpu-qa`."""

from gpu_qa.cli import main

if __name__ == "__main__":
    main()
