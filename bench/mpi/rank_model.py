"""Discrete-event model of one search over up to 1,024 MPI ranks: where rank 0 saturates.

Rank 0 is one server: each trial costs it `message` seconds (hand out, take in, wake up, store) and the agents `proposal` seconds, which run
beside the messages unless the agents cannot keep up. Workers measure for a log-normal time. The two costs are measured, see
docs/results/sweeps.md; here they are arguments:

    rank_model.py --message 0.0003 --proposal 0.002
"""
import argparse
import heapq
import math
import random


def busy_share(ranks, trials_each, message, proposal, mean, sigma, seed=0):
    """Share of the workers' time in which they measure."""
    rng = random.Random(seed)
    workers = ranks - 1
    trials = workers * trials_each
    mu = math.log(mean) - sigma ** 2 / 2
    server_free = proposals_free = measured = 0.0   # when rank 0's post, and its agents, are free again
    ready = [(0.0, w) for w in range(workers)]     # (time at which the worker's answer lies at rank 0, worker)
    heapq.heapify(ready)
    end = 0.0
    for _ in range(trials):
        arrival, worker = heapq.heappop(ready)
        proposals_free += proposal                  # proposals are made ahead, one after the other
        start = max(arrival, server_free, proposals_free)
        server_free = start + message
        duration = rng.lognormvariate(mu, sigma)
        measured += duration
        heapq.heappush(ready, (server_free + duration, worker))
        end = max(end, server_free + duration)
    # The last of each worker ends at another time; that tail is of the run's length, not of the number of ranks.
    return measured / (workers * end)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--message", type=float, required=True, help="seconds of rank 0 a trial, messages and store")
    parser.add_argument("--proposal", type=float, required=True, help="seconds of the agents a trial")
    parser.add_argument("--mean", type=float, default=1.0)
    parser.add_argument("--sigma", type=float, default=0.3)
    parser.add_argument("--trials-each", type=int, default=60)
    options = parser.parse_args()
    slowest = max(options.message, options.proposal)
    print(f"rank 0 saturates at {1 / slowest:.0f} trials/s: {1 + options.mean / slowest:.0f} ranks at {options.mean} s a trial")
    for ranks in (8, 32, 128, 256, 512, 1024):
        share = busy_share(ranks, options.trials_each, options.message, options.proposal, options.mean, options.sigma)
        print(f"{ranks:5d} ranks: {100 * share:5.1f} % of ranks - 1")


if __name__ == "__main__":
    main()
