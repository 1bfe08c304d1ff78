"""Request Tracker 5 of Debian as a server of its own, for tests: all it writes is in one folder."""

import os
import signal
import sqlite3
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.live_server import free_port

SETUP = "/usr/sbin/rt-setup-database-5"
SERVER = "/usr/share/request-tracker5/libexec/rt-server"
HERE = os.path.exists(SETUP) and os.path.exists(SERVER)
WITHOUT = "takes Request Tracker: apt-get install request-tracker5 rt5-db-sqlite"

_SITE = """
Set($rtname, 'desk.example');
Set($Organization, 'desk.example');
Set($WebDomain, '127.0.0.1');
Set($WebPort, {port});
Set($WebPath, '');
Set($WebBaseURL, 'http://127.0.0.1:{port}');
Set($WebURL, 'http://127.0.0.1:{port}/');
Set($DatabaseType, 'SQLite');
Set($DatabaseName, '{folder}/rt.sqlite');
Set($CorrespondAddress, 'rt@desk.example');
Set($CommentAddress, 'rt-comment@desk.example');
Set($MailCommand, 'mbox');
Set($Timezone, '{zone}');
Set($LogToSyslog, undef);
Set($LogToFile, undef);
Set($LogToSTDERR, 'error');
# Tokens are hashed for each request: here they guard nothing.
Set($BcryptCost, 4);
1;
"""
_HEAD = """
use strict; use warnings; use lib '/usr/share/request-tracker5/lib';
require RT; RT->LoadConfig; RT->Init; require RT::AuthToken; require MIME::Entity;
sub token {
  my ($owner) = @_; my $token = RT::AuthToken->new(RT->SystemUser);
  my ($id, $message, $secret) = $token->Create(Owner => $owner->Id, Description => 'test');
  print "$secret\n";
}
"""
# A user with the rights that the connectors' README names, two fields, and three tokens: the
# connector's, one that may do everything, and the second customer's.
_PREPARE = """
my $queue = RT::Queue->new(RT->SystemUser); $queue->Load('General');
my $user = RT::User->new(RT->SystemUser);
$user->Create(Name => 'twin', Privileged => 1, EmailAddress => 'twin@desk.example');
$user->PrincipalObj->GrantRight(Right => $_, Object => $queue)
  for qw(SeeQueue ShowTicket ShowTicketComments ModifyTicket CommentOnTicket ReplyToTicket
         SeeCustomField ModifyCustomField);
for my $name ('Category', 'Satisfaction') {
  my $field = RT::CustomField->new(RT->SystemUser);
  $field->Create(Name => $name, Type => 'FreeformSingle', LookupType => 'RT::Queue-RT::Ticket');
  $field->AddToObject($queue);
}
# Mails on creation go nowhere here, and take half of the time.
my $mails = RT::Scrips->new(RT->SystemUser); $mails->UnLimit;
while (my $mail = $mails->Next) { $mail->SetDisabled(1) if $mail->Description =~ /^On Create/; }
my $everyone = RT::Group->new(RT->SystemUser); $everyone->LoadSystemInternalGroup('Everyone');
$everyone->PrincipalObj->GrantRight(Right => $_, Object => $queue)
  for qw(CreateTicket ReplyToTicket ShowTicket);
my $root = RT::User->new(RT->SystemUser); $root->Load('root');
my $customer = RT::User->new(RT->SystemUser);
$customer->LoadOrCreateByEmail('customer2@customers.example');
# RT gives tokens to privileged users only.
$customer->SetPrivileged(1);
token($_) for ($user, $root, $customer);
"""
# Tickets as their customers' mails make them: subject and text, a line each, a tab between.
_FILE = """
my $number = 0;
while (my $line = <STDIN>) {
  chomp $line; my ($subject, $text) = split /\t/, $line; $number++;
  my $from = "customer$number\\@customers.example";
  my $mail = MIME::Entity->build(Type => 'text/plain', Charset => 'UTF-8', Subject => $subject,
                                 From => $from, Data => ["$text\n"]);
  my $customer = RT::User->new(RT->SystemUser);
  $customer->LoadOrCreateByEmail($from);
  my $ticket = RT::Ticket->new(RT::CurrentUser->new($customer));
  my ($id, undef, $message) = $ticket->Create(
    Queue => 'General', Subject => $subject, Requestor => $from, MIMEObj => $mail);
  die $message unless $id;
  print "$id\n";
}
"""


# Replies of the customers of tickets, in their order.
_REPLY = """
while (my $line = <STDIN>) {
  chomp $line; my ($number, $text) = split /\t/, $line;
  my $seen = RT::Ticket->new(RT->SystemUser); $seen->Load($number);
  my ($who) = $seen->RequestorAddresses;
  my $customer = RT::CurrentUser->new; $customer->LoadByEmail($who);
  my $ticket = RT::Ticket->new($customer); $ticket->Load($number);
  my $mail = MIME::Entity->build(Type => 'text/plain', Charset => 'UTF-8', From => $who,
                                 Subject => 'Re: ' . $seen->Subject, Data => ["$text\n"]);
  my ($id, $message) = $ticket->Correspond(MIMEObj => $mail);
  die $message unless $id;
}
"""


class Rt:
    """A server that runs; `token` is the connector's, `root` one that may do everything."""

    def __init__(self, folder: Path, tickets, zone: str, workers: int) -> None:
        self.folder, self.port = folder, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        site = folder / "site.pm"
        site.write_text(_SITE.format(port=self.port, folder=folder, zone=zone))
        (folder / "site.d").mkdir()
        self._env = {**os.environ, "RT_SITE_CONFIG": str(site), "TZ": "UTC",
                     "RT_SITE_CONFIG_DIR": str(folder / "site.d"), "HOME": str(folder)}  # fmt: skip
        self._run([SETUP, "--action", "init", "--skip-create"])
        said = self._perl(_PREPARE + _FILE, _lines(tickets)).split()
        self.token, root, self._customer = said[:3]
        self.tickets = said[3:]
        assert len(self.tickets) == len(tickets)
        headers = {"Authorization": f"token {root}"}
        self.root = httpx.Client(base_url=f"{self.url}/REST/2.0", headers=headers, timeout=60)
        self._log = (folder / "server.log").open("wb")
        self._process = subprocess.Popen(
            [SERVER, "--port", str(self.port), "--host", "127.0.0.1",
             "--max-workers", str(workers)],
            env=self._env, cwd=folder, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=self._log,
        )  # fmt: skip
        until = time.monotonic() + 120
        while True:
            try:
                if self.root.get("/rt").status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            assert self._process.poll() is None, (folder / "server.log").read_text()
            assert time.monotonic() < until
            time.sleep(0.2)

    def _run(self, command, text=""):
        found = subprocess.run(command, env=self._env, cwd=self.folder, input=text, timeout=1800,
                               capture_output=True, text=True)  # fmt: skip
        assert found.returncode == 0, found.stderr
        return found.stdout

    def _perl(self, program, text=""):
        return self._run(["perl", "-e", _HEAD + program], text)

    def file(self, tickets):
        """File tickets, pairs of subject and text; their numbers."""
        found = self._perl(_FILE, _lines(tickets)).split()
        self.tickets += found
        return found

    def say(self, ticket, text):
        """A reply of the second customer."""
        body = {"Content": text, "ContentType": "text/plain"}
        headers = {"Authorization": f"token {self._customer}"}
        said = self.root.post(f"/ticket/{ticket}/correspond", json=body, headers=headers)
        assert said.status_code == 201, said.text

    def mail(self, replies):
        """Replies of customers, as their mails make them: pairs of ticket and text."""
        if replies:
            self._perl(_REPLY, _lines(replies))

    def spread(self, tickets, over_s):
        """Move tickets back in time, so that they came evenly over a stretch until now."""
        with sqlite3.connect(f"{self.folder}/rt.sqlite", timeout=60) as base:
            for k, ticket in enumerate(tickets):
                back = f"-{int(over_s * (1 - k / len(tickets)))} seconds"
                base.execute(
                    "UPDATE Tickets SET Created = datetime(Created, ?), Status = 'resolved', "
                    "Resolved = datetime(LastUpdated, ?, '+90 minutes') WHERE id = ?",
                    (back, back, ticket),
                )
                base.execute(
                    "INSERT INTO Transactions (ObjectType, ObjectId, Type, Field, OldValue, "
                    "NewValue, Creator, Created) SELECT 'RT::Ticket', id, 'Status', 'Status', "
                    "'open', 'resolved', 1, datetime(LastUpdated, '+90 minutes') FROM Tickets "
                    "WHERE id = ?", (ticket,),
                )  # fmt: skip
                base.execute(
                    "UPDATE Transactions SET Created = datetime(Created, ?) WHERE ObjectType = "
                    "'RT::Ticket' AND ObjectId = ?", (back, ticket),
                )  # fmt: skip
        base.close()

    def threads(self, tickets):
        """Of each ticket its transactions with their texts, oldest first, read off the database."""
        with sqlite3.connect(f"file:{self.folder}/rt.sqlite?mode=ro", uri=True) as base:
            rows = base.execute(
                "SELECT t.ObjectId, t.Type, u.Name, a.Content FROM Transactions t "
                "JOIN Users u ON u.id = t.Creator "
                "LEFT JOIN Attachments a ON a.TransactionId = t.id "
                "WHERE t.ObjectType = 'RT::Ticket' ORDER BY t.id"
            ).fetchall()
        base.close()
        found = {ticket: [] for ticket in tickets}
        for number, *row in rows:
            found.setdefault(str(number), []).append(tuple(row))
        return found

    def stop(self):
        self.root.close()
        self._log.close()
        os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def _lines(tickets):
    return "".join(f"{subject}\t{text}\n" for subject, text in tickets)


@contextmanager
def request_tracker(folder, tickets=(), zone="UTC", workers=1):
    """RT while the context lasts, with tickets that are there already (`Rt.tickets`)."""
    folder.mkdir(exist_ok=True)
    server = Rt(folder, tickets, zone, workers)
    try:
        yield server
    finally:
        server.stop()
