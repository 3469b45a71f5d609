"""An M/M/c queue in SimPy: prints the requests served and their mean time, seconds.

Arguments: servers, requests a second, mean service time in seconds, requests.
"""

import random
import sys

import simpy


def main(servers, rate, service, requests):
    draw = random.Random(1).expovariate
    env = simpy.Environment()
    resource = simpy.Resource(env, capacity=servers)
    served = 0
    time = 0.0

    def request():
        nonlocal served, time
        arrived = env.now
        with resource.request() as turn:
            yield turn
            yield env.timeout(draw(1.0 / service))
        served += 1
        time += env.now - arrived

    def source():
        for _ in range(requests):
            env.process(request())
            yield env.timeout(draw(rate))

    env.process(source())
    env.run()
    print(served, time / served)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), int(float(sys.argv[4])))
