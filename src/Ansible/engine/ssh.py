# SPDX-License-Identifier: GPL-3.0-or-later
"""SSH sessions with devices as they are: the host key is checked, then comes the login, then a shell or single commands.

paramiko is tried first: old devices need algorithms that only it has. Where the two find none in common, asyncssh takes its place, by the
same rules. A device, as the job describes it, is a dict.

Against CVE-2023-48795 (Terrapin): the paramiko of Debian 12 has no strict key exchange, so it is used without the algorithms that the
attack works on, ChaCha20-Poly1305 and encrypt-then-MAC. The asyncssh of Debian 12 has strict key exchange; with a device that lacks it,
ChaCha20 is the last choice, and CBC is none."""
import base64
import contextlib
import hashlib
import io
import re
import shlex
import socket
import threading
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as Late

import paramiko
from paramiko.auth_handler import AuthHandler
from paramiko.buffered_pipe import BufferedPipe, PipeTimeout
from paramiko.common import MSG_SERVICE_ACCEPT

import link

KEY_TYPES = (("ssh-ed25519",), ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"),
             ("rsa-sha2-512", "rsa-sha2-256", "ssh-rsa"))
# Wide, as some devices wrap the echo of a command at the width of the terminal; high, as some show a page at a time.
TERMINAL, WIDTH, HEIGHT = "vt100", 511, 1000
# Bytes of an answer.
LARGEST = 32 << 20
EXPIRED = "The device wants a new password for this login. Change it on the device, then in the credential."

# What a device says, in the login or as the first words of its shell.
SAYS_EXPIRED = re.compile(
    r"(?i)passw(?:or)?d[^\n]{0,60}(?:has|have|is) (?:been )?expired|expired passw(?:or)?d|"
    r"(?:must|required to|need to|have to) (?:now )?(?:change|reset|set)[^\n]{0,20} passw(?:or)?d|"
    r"(?:new|old|current|retype|re-enter|confirm)\W{1,3}(?:\w{1,20}\W{1,3}){0,3}passw(?:or)?d")
SAYS_FULL = re.compile(
    r"(?i)too many (?:\w{1,20} ){0,3}(?:sessions|users|connections|logins|lines)|"
    r"max(?:imum|\.)? (?:\w{1,20} ){0,4}(?:sessions|users|connections|logins|vtys?)|MaxStartups|"
    r"no (?:more|free|available) (?:\w{1,20} ){0,2}(?:sessions|lines|vtys?)|"
    r"all (?:\w{1,20} ){0,2}(?:lines|vtys?|sessions) (?:are )?(?:in use|busy)")
_PASSWORD = re.compile(r"(?i)pass(?:word|wd|code|phrase|wort)|secret|contrase|mot de passe")
# Answers do not depend on the language of the login, and administrators' programs are found by every login.
_SURROUNDINGS = 'export LC_ALL=C PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"; '
_SECOND_FACTOR = re.compile(r"(?i)token|otp|one.time|code|challenge|factor|\bpin\b")


class Fault(Exception):
    """Why there is no session: a code of docs/runs.md, and words for a person."""

    def __init__(self, code, text, key=None):
        super().__init__(text)
        self.code, self.key = code, key


def no_room(fault):
    return Fault("sandbox_failed", f"The sandbox had no room for the session ({type(fault).__name__}); nothing is known about the device.")


class _NoAlgorithm(Exception):
    """paramiko and the device have no algorithm in common. offered: what the device has, by the names of paramiko's key exchange."""

    def __init__(self, offered):
        super().__init__()
        self.offered = offered


def fingerprint(line):
    """SHA256:... of a key given as "type base64"."""
    digest = hashlib.sha256(base64.b64decode(line.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def shown(text):
    """A device's words on one short line."""
    return "".join(c if c.isprintable() else " " for c in " ".join(text.split()))[:120]


def left(until):
    """The seconds that are left, for one more wait."""
    seconds = until - time.monotonic()
    if seconds <= 0:
        raise Fault("connect_timeout", "The device did not finish the login in time.")
    return seconds


def connect(device, until, *purpose):
    """A session whose host key matches the pin, where there is one. Nothing about the login was sent."""
    pin, known, wrong, offered = device.get("hostKeySha256"), (device.get("hostKey") or "").split(" ")[0], None, None
    # The kind of the pinned key comes first; without its name, one kind after the other.
    kinds = sorted(KEY_TYPES, key=lambda types: known not in types) if pin else [sum(KEY_TYPES, ())]
    for types in kinds:
        try:
            session = _open(device, types, until, purpose)
        except _NoAlgorithm as fault:
            offered = fault.offered
            continue
        if not pin or fingerprint(session.key) == pin:
            return session
        session.close()
        wrong = session.key
    if wrong:
        raise Fault("host_key_mismatch", "The device showed another host key than the pinned one; no credential was sent.", wrong)
    raise Fault("ssh_incompatible", _offer(offered))


def log_in(device, until, shell=True):
    """A session that is logged in, and its shell where one is asked for. Where the login lands in another shell than the device's own, the
    channel begins with the program that is it: no prompt, profile or alias of the other one comes before."""
    session, _ = let_in(connect(device, until), device, until)
    try:
        return session, session.shell(until, device.get("program") and _surrounded(device, device["program"])) if shell else None
    except Exception:
        session.close()
        raise


def let_in(session, device, until):
    """(a session that is logged in, whether the pending password did it; None where no password was asked for). The pending one is tried
    after the other, on a session of its own: some devices end a session in which a password was wrong."""
    try:
        session.authenticate(device, until)
        return session, False if session.sent else None
    except Fault as fault:
        session.close()
        if device.get("pendingPassword") is None or fault.code not in ("auth_failed", "connection_closed"):
            raise
    except Exception:
        session.close()
        raise
    other = {**device, "password": device["pendingPassword"], "pendingPassword": None}
    return let_in(connect(other, until), other, until)[0], True


class Command:
    """What becomes of a command that the device runs without a terminal. status: its exit code, None while there is none."""

    def __init__(self):
        self.status, self.output, self.errors = None, bytearray(), bytearray()

    def heard(self, data, errors):
        """Takes what the command says. So much is no answer any more."""
        (self.errors if errors else self.output).extend(data)
        if len(self.output) + len(self.errors) > LARGEST:
            raise Fault("task_failed", f"The device's answer is larger than {LARGEST >> 20} MiB.")

    def ended(self, alive):
        """The command, once it has ended by itself."""
        if self.status is None:
            raise Fault("task_failed", "The device ended the command by force.") if alive else closed()
        return self


def run(session, device, command, text, seconds):
    """A command of the device's shell that has ended, in a channel of its own and without a terminal. text: its standard input; seconds:
    how long the device may be silent."""
    ended = session.run(_surrounded(device, command), text.encode("utf-8", "surrogateescape"), seconds)
    if ended.status and device.get("enable") and ended.errors.startswith(b"sudo: "):
        raise Fault("auth_failed", "The device did not let the login enter the privileged mode: it must be allowed sudo without "
                    f"a password. {shown(ended.errors.decode('utf-8', 'replace'))}")
    return ended


def printed(ended, name, mask):
    """What a command has printed. name: what it does, for the message of a failure; mask: takes a line and hides a secret in it."""
    if ended.status:
        said = (bytes(ended.errors).strip() or bytes(ended.output).strip()).decode("utf-8", "surrogateescape")
        words = "\n".join(mask(line)[:200] for line in said.splitlines()[-5:])
        raise Fault("task_failed", f"{name.splitlines()[0][:80]}: {words or f'exit code {ended.status}'}")
    return ended.output.decode("utf-8", "surrogateescape")


def _surrounded(device, command):
    """What is sent for a command: a login that must enter the privileged mode runs it by sudo."""
    line = _SURROUNDINGS + command
    return "sudo -n -- sh -c " + shlex.quote(line) if device.get("enable") else line


def closed():
    return Fault("connection_closed", "The device closed the connection.")


def no_commands():
    return Fault("no_commands", "It runs no commands without a terminal.")


def silent():
    return Fault("idle_timeout", "The device stopped answering.")


def _open(device, types, until, purpose):
    try:
        return _Paramiko(_dial(device, purpose), types, until)
    except _NoAlgorithm as fault:
        # With a key of another kind nothing else helps: asyncssh knows the same kinds.
        if not set(types) & set(fault.offered.get("server_key_algo_list", ())):
            raise
        return _Asyncssh(_dial(device, purpose), device, types, until, fault.offered)


def _dial(device, purpose):
    try:
        return link.dial(device["address"], *purpose)
    except OSError as fault:
        if link.exhausted(fault):
            raise no_room(fault) from None
        raise Fault("connect_timeout", "The device did not answer.") from None


def _offer(offered):
    if not offered:
        return "The device speaks an SSH version before 2."
    parts = (("key exchange", "kex_algo_list"), ("host key", "server_key_algo_list"), ("encryption", "server_encrypt_algo_list"),
             ("integrity", "server_mac_algo_list"))
    lists = "; ".join(f"{name} {', '.join(shown(algorithm) for algorithm in offered.get(part, ())[:12])}" for name, part in parts)
    return (f"The device has no SSH algorithms that are supported here. It offers {lists}. Enable, for example, curve25519-sha256, "
            "a host key of the kind ssh-ed25519, ecdsa-sha2-nistp256 or rsa-sha2-256, aes256-ctr and hmac-sha2-256.")


def _ended(words):
    """The fault of a session that ended during the login, by the device's last words."""
    if SAYS_FULL.search(words):
        return Fault("too_many_sessions", f'The device has no free session: "{shown(words)}". End others or allow more of them.')
    return Fault("connection_closed", f'The device ended the login: "{shown(words)}".' if words.strip() else "The device ended the login.")


def private_key(device):
    """The credential's key, as OpenSSH text without a passphrase, and paramiko's class for it."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    text, passphrase = device["privateKey"].replace("\r", "").strip().encode() + b"\n", device.get("passphrase")
    load = serialization.load_ssh_private_key if text.startswith(b"-----BEGIN OPENSSH") else serialization.load_pem_private_key
    try:
        try:
            key = load(text, passphrase.encode() if passphrase else None)
        except TypeError:
            if not passphrase:
                raise Fault("key_unreadable", "The credential's private key is encrypted, and the credential has no passphrase.") from None
            key = load(text, None)  # a passphrase that this key does not need
        kinds = ((ed25519.Ed25519PrivateKey, paramiko.Ed25519Key), (ec.EllipticCurvePrivateKey, paramiko.ECDSAKey),
                 (rsa.RSAPrivateKey, paramiko.RSAKey))
        kind = next((reader for type_, reader in kinds if isinstance(key, type_)), None)
        if not kind:
            raise Fault("key_unreadable", "The credential's private key is of a kind that is not supported: use Ed25519, ECDSA or RSA.")
        return key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()).decode(), kind
    except (ValueError, UnsupportedAlgorithm):
        raise Fault("key_unreadable", "The credential's passphrase does not open its private key." if passphrase
                    else "The credential's private key cannot be read.") from None


class _Answers:
    """Answers the questions of keyboard-interactive authentication."""

    def __init__(self, device):
        self._password, self.sent = device.get("password"), False
        self._replies = [(re.compile(reply["pattern"]), reply["answer"]) for reply in device.get("answers") or ()]

    def __call__(self, title, instructions, questions):
        return [self._answer(question, echo, instructions, len(questions) == 1) for question, echo in questions]

    def _answer(self, question, echo, instructions, alone):
        # A customer's pattern may cost the fourth power of what it is searched in.
        last = question.strip().rpartition("\n")[2][-200:]
        for pattern, answer in self._replies:
            if pattern.search(last):
                return answer
        if SAYS_EXPIRED.search(f"{instructions}\n{question}"):
            raise Fault("password_expired", EXPIRED)
        asked = _PASSWORD.search(question) or (alone and not echo and not _SECOND_FACTOR.search(question))
        if not asked or self._password is None:
            raise Fault("needs_answer", f'The device asks "{shown(question)}", and the credential has no answer: add one to its answers.')
        if self.sent:
            raise Fault("auth_failed", "The device refused the credential.")
        self.sent = True
        return self._password


def _ways(device):
    """The kinds of authentication to try, in order. A password that was refused is not sent again: devices lock logins."""
    ways = ["publickey"] if device.get("privateKey") else []
    if device.get("answers"):
        ways.append("keyboard-interactive")
    if device.get("password") is not None:
        ways += ["password", "keyboard-interactive"]
    return list(dict.fromkeys(ways))


def _refused(device, allowed=None):
    taken = "" if set(allowed or ()) & set(_ways(device)) else ", ".join(shown(way) for way in allowed or ())
    return Fault("auth_failed", "The device refused the credential." + (f" It takes {taken}." if taken else ""))


class _Login(AuthHandler):
    """Asks for the service once: some devices end the session when a second kind of authentication asks again."""

    def _request_auth(self):
        if not self.transport.serves_logins:
            super()._request_auth()
            return
        accepted = paramiko.Message()
        accepted.add_string("ssh-userauth")
        accepted.rewind()
        self._parse_service_accept(accepted)

    def _parse_service_accept(self, message):
        self.transport.serves_logins = True
        super()._parse_service_accept(message)

    _client_handler_table = {**AuthHandler._client_handler_table, MSG_SERVICE_ACCEPT: _parse_service_accept}


class _Transport(paramiko.Transport):
    """Remembers what the device offers, and its last words."""
    offered, farewell, serves_logins = {}, "", False

    def attempt(self, way, *arguments):
        """The kinds of authentication that must follow; none after the last."""
        done = threading.Event()
        self.auth_handler = _Login(self)
        getattr(self.auth_handler, way)(*arguments, done)
        return self.auth_handler.wait_for_response(done)

    def _really_parse_kex_init(self, message, ignore_first_byte=False):
        parsed = super()._really_parse_kex_init(message, ignore_first_byte)
        if not ignore_first_byte:
            self.offered = {name: list(value) for name, value in parsed.items() if isinstance(value, list)}
        return parsed

    def _parse_disconnect(self, message):
        message.get_int()
        self.farewell = message.get_binary().decode("utf-8", "replace")


class _Paramiko:
    sent = False  # the password

    def __init__(self, stream, types, until):
        transport = self._transport = _Transport(
            stream, disabled_algorithms={"macs": [name for name in paramiko.Transport._preferred_macs if "-etm@" in name]})
        transport.banner_timeout = transport.handshake_timeout = left(until)
        options = transport.get_security_options()
        options.key_types = [name for name in types if name in options.key_types]
        try:
            transport.start_client(timeout=left(until))
            # A silent device ends that wait without an error; this line fails when there is no key to compare.
            key = transport.get_remote_server_key()
        except paramiko.ssh_exception.IncompatiblePeer:
            transport.close()
            raise _NoAlgorithm(transport.offered) from None
        except Exception as fault:
            transport.close()
            if SAYS_FULL.search(words := f"{fault} {transport.farewell}"):
                raise _ended(words) from None
            if link.exhausted(fault):
                raise no_room(fault) from None
            raise Fault("connect_timeout", f"No SSH server answered at the device ({type(fault).__name__}).") from None
        self.key = f"{key.get_name()} {key.get_base64()}"

    def authenticate(self, device, until):
        transport, user, answers, allowed = self._transport, device["username"], _Answers(device), None
        tries = {
            "publickey": lambda: self._sign(user, device),
            "password": lambda: transport.attempt("auth_password", user, device["password"]),
            "keyboard-interactive": lambda: transport.attempt("auth_interactive", user, answers),
        }
        for way in _ways(device):
            if allowed is not None and way not in allowed:
                continue
            transport.auth_timeout = left(until)
            try:
                allowed = tries[way]()
                self.sent = self.sent or way == "password" or answers.sent
                if not allowed:
                    return
            except paramiko.BadAuthenticationType as fault:
                allowed = fault.allowed_types
            except paramiko.AuthenticationException as fault:
                if not transport.is_active() and transport.farewell:
                    raise _ended(transport.farewell) from None
                if str(fault) == "Authentication timeout.":
                    raise Fault("connect_timeout", "The device did not finish the login in time.") from None
                if way != "publickey" or not transport.is_active():
                    break
            except paramiko.SSHException as fault:
                # The request to change a password has the number of another message.
                if "Illegal info request" in str(fault):
                    raise Fault("password_expired", EXPIRED) from None
                raise _ended(transport.farewell) from None
            except (EOFError, OSError):
                raise _ended(transport.farewell) from None
        raise _refused(device, allowed)

    def _sign(self, user, device):
        text, kind = private_key(device)
        key, transport = kind.from_private_key(io.StringIO(text)), self._transport
        try:
            return transport.attempt("auth_publickey", user, key)
        except paramiko.BadAuthenticationType:
            raise
        except paramiko.AuthenticationException:
            # Old devices know RSA with SHA-1 alone, and do not say so.
            if kind is not paramiko.RSAKey or transport.server_extensions.get("server-sig-algs") or not transport.is_active():
                raise
            transport.disabled_algorithms = {**transport.disabled_algorithms, "pubkeys": ["rsa-sha2-512", "rsa-sha2-256"]}
            return transport.attempt("auth_publickey", user, key)

    def shell(self, until, program):
        try:
            channel = self._transport.open_session(timeout=left(until))
            channel.get_pty(TERMINAL, WIDTH, HEIGHT)
            channel.exec_command(program) if program else channel.invoke_shell()
            return channel
        except paramiko.ChannelException as fault:
            raise _no_shell(fault.code, fault.text) from None
        except (paramiko.SSHException, EOFError, OSError):
            raise _ended(self._transport.farewell) from None

    def run(self, line, data, seconds):
        """A Command that has ended. seconds: how long the device may be silent."""
        try:
            channel, heard, command = self._transport.open_session(timeout=seconds), threading.Event(), Command()
            channel.settimeout(seconds)
            channel.exec_command(line)
        except paramiko.ChannelException as fault:
            raise _no_shell(fault.code, fault.text) from None
        except (paramiko.SSHException, EOFError, OSError) as fault:
            raise closed() if not self._transport.is_active() else silent() if isinstance(fault, OSError) else no_commands() from None
        for pipe in (channel.in_buffer, channel.in_stderr_buffer):
            pipe.set_event(heard)
        threading.Thread(target=_feed, args=(channel, data), daemon=True).start()
        try:
            while True:
                if channel.recv_ready():
                    command.heard(channel.recv(65536), False)
                elif channel.recv_stderr_ready():
                    command.heard(channel.recv_stderr(65536), True)
                elif channel.eof_received or channel.closed:
                    break
                elif not heard.wait(seconds):
                    raise silent()
            if not channel.status_event.wait(seconds):
                raise silent()
            command.status = None if channel.exit_status < 0 else channel.exit_status
            return command.ended(self._transport.is_active())
        finally:
            channel.close()

    def close(self):
        self._transport.close()


def _feed(channel, data):
    """Standard input, while the answer is read already."""
    try:
        channel.sendall(data)
        channel.shutdown_write()
    except OSError:
        pass  # whoever reads the answer sees why


def _no_shell(code, words):
    # RFC 4254, 5.1: 1 means forbidden. Devices that are full answer 2 or 4.
    if code == 1 and not SAYS_FULL.search(words):
        return Fault("connection_closed", f'The device lets this login have no terminal: "{shown(words)}".')
    return Fault("too_many_sessions", f'The device has no free session: "{shown(words)}". End others or allow more of them.')


class _Asyncssh:
    """asyncssh on a thread of its own, with the methods of _Paramiko."""

    def __init__(self, stream, device, types, until, offered):
        import asyncio
        import asyncssh
        self._asyncio, self._asyncssh, self._device, self._fault, self.sent = asyncio, asyncssh, device, None, False
        # The key that the device shows; and the leave to send what is secret.
        self._key, self._leave = Future(), Future()
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self._connecting = asyncio.run_coroutine_threadsafe(self._connect(stream, types), self._loop)
        self._connecting.add_done_callback(self._ended_early)
        try:
            self.key = self._key.result(left(until))
        except asyncssh.KeyExchangeFailed:
            self.close()
            raise Fault("ssh_incompatible", _offer(offered)) from None
        except Exception as fault:
            self.close()
            if SAYS_FULL.search(str(fault)):
                raise _ended(str(fault)) from None
            if link.exhausted(fault):
                raise no_room(fault) from None
            raise Fault("connect_timeout", f"No SSH server answered at the device ({type(fault).__name__}).") from None

    def _ended_early(self, connecting):
        if not self._key.done():
            self._key.set_exception(
                OSError("ended") if connecting.cancelled() else connecting.exception() or OSError("no host key"))

    async def _connect(self, stream, types):
        class Stream:
            async def create_connection(_, factory, *__):
                return await self._loop.create_connection(factory, sock=stream)

        # Where an option is not given, asyncssh looks into files and the environment.
        return await self._asyncssh.connect(
            "device", config=None, tunnel=Stream(), client_factory=self._client, known_hosts=([], [], []), x509_trusted_certs=None,
            username=self._device["username"], client_keys=None, agent_path=None, gss_host=None, login_timeout=300,
            preferred_auth=_ways(self._device), server_host_key_algs=list(types), compression_algs=None,
            encryption_algs=["aes256-gcm@openssh.com", "aes128-gcm@openssh.com", "aes256-ctr", "aes192-ctr", "aes128-ctr",
                             "chacha20-poly1305@openssh.com"])

    def _client(self):
        device, pin, answers, given = self._device, self._device.get("hostKeySha256"), _Answers(self._device), set()
        self._gave_password = lambda: answers.sent or "password" in given

        async def once(way, secret):
            await self._asyncio.wrap_future(self._leave)
            if way in given or secret is None:
                return None
            given.add(way)
            return secret

        class Client(self._asyncssh.SSHClient):
            def validate_host_public_key(_, host, address, port, key):
                line = " ".join(key.export_public_key().decode().split()[:2])
                if not self._key.done():
                    self._key.set_result(line)
                # A later exchange of keys must show the same one.
                return line == self._key.result() and (not pin or fingerprint(line) == pin)

            async def public_key_auth_requested(_):
                if not await once("publickey", device.get("privateKey")):
                    return None
                with self._keeping():
                    return [self._asyncssh.import_private_key(private_key(device)[0])]

            async def password_auth_requested(_):
                return await once("password", None if answers.sent else device.get("password"))

            def password_change_requested(_, prompt, language):
                self._fault = Fault("password_expired", EXPIRED)
                return NotImplemented

            async def kbdint_auth_requested(_):
                answers.sent = answers.sent or "password" in given
                return await once("keyboard-interactive", "")

            def kbdint_challenge_received(_, name, instructions, language, questions):
                with self._keeping():
                    return answers(name, instructions, questions)

        return Client()

    @contextlib.contextmanager
    def _keeping(self):
        """Keeps a fault for the caller; asyncssh goes on with the next kind of authentication then."""
        try:
            yield
        except Fault as fault:
            self._fault = self._fault or fault

    def authenticate(self, device, until):
        asyncssh = self._asyncssh
        self._leave.set_result(None)
        try:
            self._connection = self._connecting.result(left(until))
            self.sent = self._gave_password()
        except Late:
            raise Fault("connect_timeout", "The device did not finish the login in time.") from None
        except asyncssh.HostKeyNotVerifiable:
            raise Fault("host_key_mismatch", "The device showed another host key than the pinned one; no credential was sent.") from None
        except asyncssh.PermissionDenied:
            raise self._fault or _refused(device) from None
        except (asyncssh.Error, OSError) as fault:
            raise self._fault or _ended(str(fault)) from None

    def shell(self, until, program):
        asyncssh, pipe = self._asyncssh, BufferedPipe()

        class Shell(asyncssh.SSHClientSession):
            def data_received(_, data, datatype):
                pipe.feed(data)

            def eof_received(_):
                pipe.close()

            def connection_lost(_, fault):
                pipe.close()

        opening = self._asyncio.run_coroutine_threadsafe(
            self._connection.create_session(
                Shell, command=program, term_type=TERMINAL, term_size=(WIDTH, HEIGHT), encoding=None), self._loop)
        try:
            return _Channel(self._loop, opening.result(left(until))[0], pipe)
        except Late:
            raise Fault("connect_timeout", "The device did not finish the login in time.") from None
        except asyncssh.ChannelOpenError as fault:
            raise _no_shell(fault.code, fault.reason) from None
        except (asyncssh.Error, OSError) as fault:
            raise _ended(str(fault)) from None

    def run(self, line, data, seconds):
        asyncssh, command, done, moved = self._asyncssh, Command(), Future(), [time.monotonic()]

        class Session(asyncssh.SSHClientSession):
            def data_received(_, text, datatype):
                moved[0] = time.monotonic()
                try:
                    command.heard(text, datatype == asyncssh.EXTENDED_DATA_STDERR)
                except Fault as fault:
                    if not done.done():
                        done.set_exception(fault)

            def exit_status_received(_, status):
                command.status = status

            def connection_lost(_, fault):
                if not done.done():
                    done.set_result(fault)

        async def start():
            channel, _ = await self._connection.create_session(Session, command=line, encoding=None)
            channel.write(data)
            channel.write_eof()
            return channel

        starting = self._asyncio.run_coroutine_threadsafe(start(), self._loop)
        try:
            channel = starting.result(seconds)
        except Late:
            raise silent() from None
        except asyncssh.ChannelOpenError as fault:
            refused = fault.code == asyncssh.constants.OPEN_REQUEST_SESSION_FAILED
            raise no_commands() if refused else _no_shell(fault.code, fault.reason) from None
        except (asyncssh.Error, OSError):
            raise closed() from None
        while True:
            try:
                lost = done.result(max(0.01, moved[0] + seconds - time.monotonic()))
                return command.ended(lost is None)
            except Late:
                if moved[0] + seconds <= time.monotonic():
                    self._loop.call_soon_threadsafe(channel.close)
                    raise silent() from None

    def close(self):
        async def end():
            self._connecting.cancel()
            if self._connecting.done() and not self._connecting.cancelled() and not self._connecting.exception():
                self._connecting.result().close()
            self._loop.call_later(0.2, self._loop.stop)

        self._asyncio.run_coroutine_threadsafe(end(), self._loop)


class _Channel:
    """A shell of asyncssh with those methods of paramiko's channel that network_cli uses."""

    def __init__(self, loop, channel, pipe):
        self._loop, self._channel, self._pipe, self._timeout = loop, channel, pipe, None

    @property
    def closed(self):
        return self._channel.is_closing()

    def settimeout(self, seconds):
        self._timeout = seconds

    def gettimeout(self):
        return self._timeout

    def recv_ready(self):
        return self._pipe.read_ready()

    def recv(self, size):
        try:
            return self._pipe.read(size, self._timeout)
        except PipeTimeout:
            raise socket.timeout() from None

    def sendall(self, data):
        if self.closed:
            raise OSError("Socket is closed")
        self._loop.call_soon_threadsafe(self._channel.write, data)

    def close(self):
        self._pipe.close()
        self._loop.call_soon_threadsafe(self._channel.close)
