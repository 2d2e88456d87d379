#!/usr/bin/python3
"""Imitation FRR routers behind ssh, one loopback address each, that keep a journal of their sessions and lines.

  fleet.py --port P --devices N --login FILE --state DIR --journal DIR [--drop-on COMMAND]

Device i answers at 127.66.0.i. DIR/journal/dNN.jsonl holds one line per event, written before it takes effect:
  {"t": wall clock, "m": monotonic clock, "s": session, "e": "open"|"close"|"line"|"save", "text": ...}
DIR/state/slow.json, read at each login, gives the seconds a device takes for one configuration line, {"d01": 0.5}, and for showing its
configuration, {"d01 show": 2}. It takes no longer than its session lasts, and than the file names it.
A device's configuration is in memory. With --drop-on, a session ends when that command arrives. --answers names
a JSON file of further commands with their answers, for devices of another make: {"show privilege": "Current privilege level is 15"}.
"""
import argparse
import itertools
import json
import os
import socket
import subprocess
import threading
import time

import paramiko

sessions = itertools.count(1)


class Device:
    def __init__(self, number, options):
        self.name = 'd%02d' % number
        self.address = '127.66.0.%d' % number
        self.routes = {}
        self.lock = threading.Lock()
        self.drop_on, self.answers = options.drop_on, options.answers
        self.slow_file = os.path.join(options.state, 'slow.json')
        key = os.path.join(options.state, self.name + '.key')
        subprocess.run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', key], check=True)
        self.key = paramiko.Ed25519Key(filename=key)
        self.journal = os.open(os.path.join(options.journal, self.name + '.jsonl'), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def note(self, session, event, text=None):
        with self.lock:
            line = {'t': time.time(), 'm': time.monotonic(), 's': session, 'e': event, 'text': text}
            os.write(self.journal, (json.dumps(line) + '\n').encode())

    def slow(self):
        try:
            with open(self.slow_file, encoding='ascii') as file:
                return json.load(file)
        except FileNotFoundError:
            return {}

    def take(self, what, seconds, channel):
        until = time.monotonic() + seconds
        while time.monotonic() < until and what in self.slow() and channel.get_transport().is_active():
            time.sleep(min(0.05, seconds))

    def running_config(self):
        with self.lock:
            routes = list(self.routes)
        return '\n'.join([
            'Building configuration...', '', 'Current configuration:', '!', 'frr version 8.4.4', 'hostname ' + self.name, '!',
            *routes, '!', 'end', ''])


class Login(paramiko.ServerInterface):
    def __init__(self, login):
        self.login = login
        self.shell = threading.Event()

    def get_allowed_auths(self, username):
        return 'password'

    def check_auth_password(self, username, password):
        good = username == self.login['username'] and password == self.login['password']
        return paramiko.AUTH_SUCCESSFUL if good else paramiko.AUTH_FAILED

    def check_channel_request(self, kind, chanid):
        return paramiko.OPEN_SUCCEEDED if kind == 'session' else paramiko.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def check_channel_pty_request(self, *_):
        return True

    def check_channel_shell_request(self, channel):
        self.shell.set()
        return True


def shell(device, channel, session):
    slow, configuring, pending = device.slow(), False, b''
    line_at, show_at = device.name, device.name + ' show'
    channel.sendall('\r\n%s# ' % device.name)
    while True:
        while b'\n' not in pending and b'\r' not in pending:
            got = channel.recv(65536)
            if not got:
                return
            pending += got
        line, _, pending = pending.replace(b'\r\n', b'\n').replace(b'\r', b'\n').partition(b'\n')
        line = line.decode('ascii', 'replace').strip()
        answer = ''
        if line == device.drop_on:
            return
        if configuring and line == 'end':
            configuring = False
        elif configuring and line:
            device.note(session, 'line', line)
            device.take(line_at, slow.get(line_at, 0), channel)
            with device.lock:
                if line.startswith('no '):
                    device.routes.pop(line[3:], None)
                else:
                    device.routes[line] = True
        elif line == 'configure terminal':
            configuring = True
        elif line == 'show running-config':
            device.take(show_at, slow.get(show_at, 0), channel)
            answer = device.running_config()
        elif not configuring and line in device.answers:
            answer = device.answers[line]
        elif line == 'show version':
            answer = 'FRRouting 8.4.4 (%s).' % device.name
        elif line == 'write memory':
            device.note(session, 'save')
            answer = 'Integrated configuration saved to /etc/frr/frr.conf\n[OK]'
        elif line in ('exit', 'quit'):
            return
        elif line and line not in ('terminal length 0', 'show daemons'):
            answer = '% Unknown command: ' + line
        prompt = device.name + ('(config)# ' if configuring else '# ')
        channel.sendall((line + '\n' + answer + ('\n' if answer else '') + prompt).replace('\n', '\r\n'))


def serve(device, client, login):
    client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    session = next(sessions)
    device.note(session, 'open')
    transport = paramiko.Transport(client)
    try:
        transport.add_server_key(device.key)
        server = Login(login)
        transport.start_server(server=server)
        channel = transport.accept(60)
        if channel is not None and server.shell.wait(30):
            shell(device, channel, session)
    except (paramiko.SSHException, EOFError, OSError):
        pass  # The journal says that it closed.
    finally:
        transport.close()
        device.note(session, 'close')


def listen(device, port, login):
    listener = socket.create_server((device.address, port), backlog=64)

    def accept():
        while True:
            client, _ = listener.accept()
            threading.Thread(target=serve, args=(device, client, login), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


def main():
    arguments = argparse.ArgumentParser()
    for name in ('--port', '--devices'):
        arguments.add_argument(name, type=int, required=True)
    for name in ('--login', '--state', '--journal'):
        arguments.add_argument(name, required=True)
    arguments.add_argument('--drop-on')
    arguments.add_argument('--answers')
    options = arguments.parse_args()
    if options.answers:
        with open(options.answers, encoding='ascii') as file:
            options.answers = json.load(file)
    else:
        options.answers = {}
    with open(options.login, encoding='ascii') as file:
        login = json.load(file)
    for number in range(1, options.devices + 1):
        listen(Device(number, options), options.port, login)
    print('ready', flush=True)
    threading.Event().wait()


if __name__ == '__main__':
    main()
