"""Speed and memory, each figure beside what the same work costs elsewhere: `make bench`."""
