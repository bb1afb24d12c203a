"""Private set intersection by openmined-psi: reads what both sides hold, writes CPU seconds, hits and bytes."""

import sys
import time

import private_set_intersection.python as psi

FALSE_POSITIVES = 1e-9

rows, searched = map(int, sys.stdin.readline().split())
held = [sys.stdin.readline().rstrip("\n") for _ in range(rows)]
wanted = [sys.stdin.readline().rstrip("\n") for _ in range(searched)]

server = psi.server.CreateWithNewKey(True)
client = psi.client.CreateWithNewKey(True)

start = time.process_time()
setup = server.CreateSetupMessage(FALSE_POSITIVES, searched, held, psi.DataStructure.GCS)
setup_seconds = time.process_time() - start

start = time.process_time()
request = client.CreateRequest(wanted)
response = server.ProcessRequest(request)
found = client.GetIntersection(setup, response)
online_seconds = time.process_time() - start

print(setup_seconds, online_seconds, len(found), len(setup.SerializeToString()))
