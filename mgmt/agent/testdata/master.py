#!/usr/bin/python3
"""A Salt master of another hand: plays one through, checks what a minion says.

Independent of the Go code: ZeroMQ is libzmq, msgpack and AES are Debian's. It
prints one line for each thing that held, "port N" first, and "all held" at the
end; whatever does not hold ends it with an error.
"""
import base64, hashlib, hmac, os, sys, time
import msgpack, zmq
from Cryptodome.Cipher import AES, PKCS1_OAEP
from Cryptodome.Hash import SHA1
from Cryptodome.PublicKey import RSA
from Cryptodome.Signature import pkcs1_15

WAIT = 20000  # milliseconds


def pack(v):
    return msgpack.packb(v, use_bin_type=False)


def unpack(b):
    return msgpack.unpackb(b, raw=True, strict_map_key=False)


class Box:
    """A crypticle: AES-192-CBC and HMAC-SHA256 under one key text."""

    def __init__(self):
        self.text = base64.b64encode(os.urandom(56))
        raw = base64.b64decode(self.text)
        self.aes, self.mac = raw[:24], raw[24:]

    def seal(self, plain):
        pad = 16 - len(plain) % 16
        iv = os.urandom(16)
        body = iv + AES.new(self.aes, AES.MODE_CBC, iv).encrypt(plain + bytes([pad]) * pad)
        return body + hmac.new(self.mac, body, hashlib.sha256).digest()

    def open(self, data):
        body, tag = data[:-32], data[-32:]
        assert hmac.compare_digest(tag, hmac.new(self.mac, body, hashlib.sha256).digest()), "HMAC"
        plain = AES.new(self.aes, AES.MODE_CBC, body[:16]).decrypt(body[16:])
        plain = plain[: -plain[-1]]
        assert plain.startswith(b"pickle::")
        return plain[8:]


def x931_sign(key, msg):
    size = key.size_in_bytes()
    em = b"\x6b" + b"\xbb" * (size - 3 - len(msg)) + b"\xba" + msg + b"\xcc"
    s = pow(int.from_bytes(em, "big"), key.d, key.n)
    return min(s, key.n - s).to_bytes(size, "big")


def x931_message(key, sig):
    m = pow(int.from_bytes(sig, "big"), key.e, key.n)
    if m & 15 != 12:
        m = key.n - m
    em = m.to_bytes(key.size_in_bytes(), "big")
    assert em[0] == 0x6B and em[-1] == 0xCC
    return em[1:-1].lstrip(b"\xbb")[1:]


class Master:
    def __init__(self):
        ctx = zmq.Context()
        self.rep, self.pub = ctx.socket(zmq.ROUTER), ctx.socket(zmq.XPUB)
        self.port = self.rep.bind_to_random_port("tcp://127.0.0.1")
        self.pub_port = self.pub.bind_to_random_port("tcp://127.0.0.1")
        self.key = RSA.generate(2048)
        self.pem = self.key.publickey().export_key()
        self.aes, self.session, self.serial, self.jobs = Box(), Box(), 0, 0
        self.accept = False
        self.minion = None
        self.returned = set()  # jobs
        self.data = {"site": "berlin", "name": "Grüße"}

    def sign(self, data):
        return pkcs1_15.new(self.key).sign(SHA1.new(data))

    def receive(self):
        if not self.rep.poll(WAIT):
            raise SystemExit("the minion says nothing")
        return self.rep.recv_multipart()

    def claim(self, load):
        """Answer _auth."""
        self.minion = RSA.import_key(load[b"pub"])
        if not self.accept:
            inner = {"ret": True, "nonce": load[b"nonce"]}
        else:
            enc = PKCS1_OAEP.new(self.minion, hashAlgo=SHA1)
            inner = {"enc": "pub", "pub_key": self.pem, "publish_port": self.pub_port}
            if b"token" in load:
                inner["token"] = enc.encrypt(PKCS1_OAEP.new(self.key, hashAlgo=SHA1).decrypt(load[b"token"]))
            digest = hashlib.sha256(self.aes.text).hexdigest().encode()
            inner.update(aes=enc.encrypt(self.aes.text), session=enc.encrypt(self.session.text),
                         sig=x931_sign(self.key, digest), nonce=load[b"nonce"])
        raw = pack(inner)
        return pack({"enc": "clear", "load": raw, "sig": self.sign(raw)})

    def pillar(self, load):
        box = Box()
        key = PKCS1_OAEP.new(self.minion, hashAlgo=SHA1).encrypt(box.text)
        data = pack({"key": key, "pillar": self.data, "nonce": load[b"nonce"]})
        return pack({"key": key, "pillar": box.seal(b"pickle::" + pack({"data": data, "sig": self.sign(data)}))})

    def step(self):
        """Answer one request and return its load."""
        *route, payload = self.receive()
        env = unpack(payload)
        if env[b"enc"] == b"clear":
            load = env[b"load"]
            assert env[b"version"] == 3 and load[b"cmd"] == b"_auth", env
            self.rep.send_multipart(route + [self.claim(load)])
            return load
        load = unpack(self.session.open(env[b"load"]))
        assert env[b"version"] == 3 and load[b"id"] == env[b"id"] and abs(time.time() - load[b"ts"]) < 60, load
        assert x931_message(self.minion, load[b"tok"]) == b"salt" and len(load[b"nonce"]) == 32
        if load[b"cmd"] == b"_return":
            self.returned.add(load[b"jid"])
        if load[b"cmd"] == b"_pillar":
            reply = self.pillar(load)
        else:
            reply = pack(self.session.seal(b"pickle::" + load[b"nonce"] + pack(None)))
        self.rep.send_multipart(route + [reply])
        return load

    def until(self, what, ok):
        end = time.time() + WAIT / 1000
        while time.time() < end:
            load = self.step()
            if ok(load):
                print("held:", what, flush=True)
                return load
        raise SystemExit("never came: " + what)

    def publish(self, fun, arg=(), tgt="*", tgt_type="glob", forge=False, topic=None):
        self.serial, self.jobs = self.serial + 1, self.jobs + 1
        jid = time.strftime("%Y%m%d%H%M%S", time.gmtime()) + "%06d" % self.jobs
        load = {"fun": fun, "arg": list(arg), "tgt": tgt, "jid": jid, "ret": "", "tgt_type": tgt_type, "user": "root", "serial": self.serial}
        raw = self.aes.seal(b"pickle::" + pack(load))
        payload = pack({"enc": "aes", "load": raw, "sig_algo": "PKCS1v15-SHA1", "sig": b"x" * 256 if forge else self.sign(raw)})
        self.pub.send_multipart(([topic] if topic else []) + [payload])
        return jid.encode()

    def ask(self, fun, arg=(), want=None, **how):
        jid = self.publish(fun, arg, **how)
        load = self.until(str(fun), lambda l: l[b"cmd"] == b"_return" and l[b"jid"] == jid)
        assert want is None or load[b"return"] == want, load
        return load


def main():
    m = Master()
    print("port", m.port, flush=True)
    first = m.until("claim", lambda l: l[b"cmd"] == b"_auth")
    assert b"token" not in first, "a token for a master whose key is not known"
    ident = first[b"id"]
    m.until("pending, claimed again", lambda l: l[b"cmd"] == b"_auth")
    m.accept = True
    m.until("claim after acceptance", lambda l: l[b"cmd"] == b"_auth")
    grains = m.until("pillar", lambda l: l[b"cmd"] == b"_pillar")[b"grains"]
    assert grains[b"id"] == ident and grains[b"kernel"] == b"Linux" and b"127.0.0.1" in grains[b"ipv4"], grains
    start = b"salt/minion/" + ident + b"/start"
    m.until("start event", lambda l: l[b"cmd"] == b"_minion_event" and l[b"tag"] == start)
    assert m.pub.poll(WAIT) and m.pub.recv() == b"\x01", "subscription"

    m.ask("test.ping", want=True)
    m.ask("test.echo", ["Grüße"], want="Grüße".encode())
    m.ask("test.arg", [1, {"__kwarg__": True, "k": 2}])
    assert m.ask("test.version")[b"return"].startswith(b"300")
    m.ask("grains.get", ["id"], want=ident, tgt="G@kernel:Linux and not nobody", tgt_type="compound")
    m.ask("pillar.get", ["name"], want="Grüße".encode(), tgt="127.0.0.0/8", tgt_type="ipcidr")
    m.ask("test.ping", want=True, tgt=[ident.decode()], tgt_type="list")
    m.ask("test.ping", want=True, tgt="E@.*", tgt_type="compound")
    m.ask("test.ping", want=True, topic=b"broadcast")
    bad = m.ask("no.such")
    assert bad[b"retcode"] == 1 and bad[b"success"] is False and bad[b"return"] == b"'no.such' is not available.", bad
    assert m.ask("cp.get_file", ["salt://x", "../../etc/passwd"])[b"retcode"] == 1
    shown = m.ask("waymark.show", ["capacity"])
    assert shown[b"retcode"] == 0 and shown[b"return"][0][b"resource"] == b"session-table", shown

    jid = m.publish("test.sleep", [600])
    found = m.ask("saltutil.find_job", [jid.decode()])[b"return"]
    assert found[b"jid"] == jid and found[b"fun"] == b"test.sleep", found
    m.ask("saltutil.kill_job", [jid.decode()])
    if jid in m.returned:  # before the job that killed it: nobody promises an order
        print("held: killed job returns", flush=True)
    else:
        m.until("killed job returns", lambda l: l[b"cmd"] == b"_return" and l[b"jid"] == jid)
    until = time.monotonic() + WAIT / 1000  # a job is listed until its return was taken
    while m.ask("saltutil.find_job", [jid.decode()])[b"return"] != {}:
        assert time.monotonic() < until, "a killed job stays listed"

    forged, other = m.publish("test.ping", forge=True), m.publish("test.ping", tgt="nobody")
    foreign = m.publish("test.ping", topic=b"0" * 40)
    after = m.publish("test.ping")
    seen = []
    m.until("forged, foreign and others' jobs are not obeyed", lambda l: seen.append(l.get(b"jid")) or l.get(b"jid") == after)
    assert not {forged, other, foreign} & set(seen), seen

    m.aes, m.session, m.serial = Box(), Box(), 0  # as after a restart
    jid = m.publish("test.ping")
    claim = m.until("new keys, claimed again", lambda l: l[b"cmd"] == b"_auth")
    assert b"token" in claim, "the known master need not prove itself"
    m.until("the same job is obeyed", lambda l: l[b"cmd"] == b"_return" and l[b"jid"] == jid)
    print("all held", flush=True)


if __name__ == "__main__":
    main()
