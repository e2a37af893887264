#!/usr/bin/python3
"""A Salt master of another hand that changes the configuration of a live box.

state.py FILE: FILE is the running configuration. Prints "port N", then a line
for each thing that held, "all held" at the end.
"""
import copy, json, sys, time
from master import Master, WAIT, RSA


def key(results):
    assert len(results) == 1, results
    return list(results.values())[0]


class Site(Master):
    def __init__(self, path):
        super().__init__()
        self.path = path

    def running(self):
        with open(self.path) as f:
            return json.load(f)

    def apply(self, what, config, test=False):
        self.data = {"waymark": {"config": config}}
        load = self.ask("state.apply", [{"__kwarg__": True, "test": True}] if test else [])
        print("held:", what, flush=True)
        return load


def main():
    m = Site(sys.argv[1])
    print("port", m.port, flush=True)
    m.accept = True
    m.until("start event", lambda l: l[b"cmd"] == b"_minion_event" and l[b"tag"].endswith(b"/start"))
    assert m.pub.poll(WAIT) and m.pub.recv() == b"\x01", "subscription"

    before = m.running()
    wanted = copy.deepcopy(before)
    branch = [r for r in wanted["authority"]["router"] if r["name"] == "branch1"][0]
    branch["dns-config"] = [{"mode": "static", "address": ["192.0.2.53"]}]

    load = m.apply("a test changes nothing", wanted, test=True)
    got = key(load[b"return"])
    assert load[b"retcode"] == 0 and got[b"result"] is None and got[b"changes"], load
    assert m.running() == before, "a test changed the file"

    bad = copy.deepcopy(wanted)
    bad["authority"]["router"][0]["node"][0]["device-interface"][0]["network-interface"][0]["mtu"] = 99999
    load = m.apply("a bad pillar is refused", bad)
    got = key(load[b"return"])
    assert load[b"retcode"] == 2 and got[b"result"] is False and b"mtu" in got[b"comment"] and b"576-9198" in got[b"comment"], load
    assert m.running() == before, "what was refused runs"

    load = m.apply("a change is committed", wanted)
    got = key(load[b"return"])
    assert load[b"retcode"] == 0 and got[b"result"] is True and any(b"dns-config" in k for k in got[b"changes"]), load
    assert m.running()["authority"]["router"] == wanted["authority"]["router"]
    servers = [r[b"server"] for r in m.ask("waymark.show", ["dns"])[b"return"]]
    assert servers and set(servers) == {b"192.0.2.53"}, servers
    assert m.ask("waymark.config")[b"return"][b"authority"][b"name"].decode() == wanted["authority"]["name"]

    load = m.apply("the same again changes nothing", wanted)
    assert key(load[b"return"])[b"changes"] == {}, load

    again = copy.deepcopy(wanted)
    again["authority"]["tenant"].append({"name": "lab"})
    load = m.apply("a restart of the router is waited for", again)
    assert key(load[b"return"])[b"result"] is True, load
    assert m.ask("waymark.show", ["system"])[b"return"][0][b"router"] == b"branch1"

    back = m.ask("waymark.rollback")
    assert back[b"retcode"] == 0 and back[b"return"] == b"2", back
    assert m.running() == wanted, "rollback"
    m.ask("waymark.rollback", ["77"])
    refused = m.ask("system.reboot")
    assert refused[b"retcode"] == 1 and b"init" in refused[b"return"], refused
    print("all held", flush=True)

    # From here on the master obeys nobody: a commit that nobody confirms.
    lost = copy.deepcopy(wanted)
    branch = [r for r in lost["authority"]["router"] if r["name"] == "branch1"][0]
    branch["description"] = "lost"
    m.data = {"waymark": {"config": lost}}
    m.publish("state.apply")
    m.until("pillar of the last commit", lambda l: l[b"cmd"] == b"_pillar")
    print("silent", flush=True)
    sys.stdin.read()


main()
