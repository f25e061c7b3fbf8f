#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Write the scanner's corpus: planted secrets with labels, and files without any.

    corpus.py [--seed N] DIRECTORY

DIRECTORY/labels.jsonl has a line per planted secret: file, the lines that it covers, family
and grade (easy, medium, hard).  Every file that it does not name is a negative.
"""

import argparse
import base64
import gzip
import json
import pathlib
import random
import re

import negatives
import tokens

LOWER = "abcdefghijklmnopqrstuvwxyz"
ALNUM = LOWER + LOWER.upper() + "0123456789"
SIGNS = "!#%&*+-=?@^_~"


class Corpus:
    def __init__(self, top, rng):
        self.top, self.rng, self.labels, self.count = top, rng, [], 0

    def write(self, name, data):
        self.count += 1
        path = self.top / f"{self.count:04d}" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return str(path.relative_to(self.top))

    def plant(self, family, grade, name, text, needle, encode=None):
        """A file with the secret at needle; encode makes the bytes of the text."""
        assert text.count(needle) >= 1, (family, needle)
        first = text[:text.index(needle)].count("\n") + 1
        last = first + needle.count("\n")
        path = self.write(name, encode(text) if encode else text)
        self.labels.append({"file": path, "lines": [first, last], "family": family,
                            "grade": grade})


def password(rng, n=12):
    while True:
        text = "".join(rng.choice(ALNUM + SIGNS) for _ in range(n))
        if re.search(r"\d", text) and re.search("[a-z]", text) and text[0].isalpha():
            return text


def plain_password(rng, n=14):
    """Nothing that a shell, a URL or XML has to quote."""
    return rng.choice(LOWER) + "".join(rng.choice(ALNUM) for _ in range(n - 2)) + "7"


def letters(rng, n=18):
    return "".join(rng.choice(LOWER) for _ in range(n))


def hexadecimal(rng, n):
    return "".join(rng.choice("0123456789abcdef") for _ in range(n))


def uuid(rng):
    h = hexadecimal(rng, 32)
    return f"{h[:8]}-{h[8:12]}-4{h[13:16]}-a{h[17:20]}-{h[20:]}"


def pem(rng, kind="RSA ", n=608):
    """A key whose outer structure is right; its numbers are random."""
    body = b"\x02\x01\x00" + rng.randbytes(n)
    raw = b"\x30\x82" + len(body).to_bytes(2, "big") + body
    text = base64.b64encode(raw).decode()
    lines = [text[i:i + 64] for i in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {kind}PRIVATE KEY-----", *lines,
                      f"-----END {kind}PRIVATE KEY-----"]) + "\n"


def b64(text):
    return base64.b64encode(text.encode()).decode()


def env_name(rule_id):
    return re.sub(r"^(\d)", r"N\1", rule_id.upper().replace("-", "_"))


def noise(rng):
    """A few lines of settings that are none of our business."""
    rows = ["PORT=8080", "LOG_LEVEL=info", "REGION=eu-central-1", "NODE_ENV=production",
            "CACHE_TTL=3600", "BASE_URL=https://app.acme.io", "WORKERS=4", "DEBUG=false",
            "APP_NAME=billing", "TZ=UTC", "BUILD_ID=20260114.3", "MAX_CONNECTIONS=200"]
    return "\n".join(rng.sample(rows, 4)) + "\n"


# Where a token with a shape of its own is found.  {u}: its name in upper case, {l}: in
# lower case, {c}: in camel case, {v}: the token, {n}: noise.
EASY = [
    (".env", "{n}{u}={v}\nPORT=9090\n"),
    ("settings.ini", "[service]\nname = billing\n{l} = {v}\nretries = 3\n"),
    ("config.yaml", "service:\n  name: billing\n  {l}: {v}\n  replicas: 2\n"),
    ("config.json", '{{\n  "name": "billing",\n  "{c}": "{v}",\n  "debug": false\n}}\n'),
    ("app.properties", "server.port=8080\napp.{l}={v}\n"),
    ("deploy.sh", '#!/bin/sh\nset -eu\nexport {u}="{v}"\n./deploy --all\n'),
    ("config.toml", '[auth]\n{l} = "{v}"\ntimeout = 30\n'),
]
MEDIUM = [
    ("client.py", 'import requests\n\nSESSION = requests.Session()\n{u} = "{v}"\n\n\ndef call(path):\n    return SESSION.get(path)\n'),
    ("client.js", "const api = require('./api');\n\nmodule.exports = api.connect({{ {c}: '{v}', retries: 3 }});\n"),
    ("main.go", 'package main\n\nconst {c} = "{v}"\n\nfunc main() {{ run({c}) }}\n'),
    ("Client.java", 'public class Client {{\n    private static final String {u} = "{v}";\n}}\n'),
    ("client.rb", "Client.configure do |c|\n  c.{l} = '{v}'\nend\n"),
    ("client.php", "<?php\nreturn ['{l}' => '{v}', 'debug' => false];\n"),
    ("Program.cs", 'var client = new Client("{v}");\nawait client.RunAsync();\n'),
    ("docker-compose.yml", "services:\n  web:\n    image: acme/web:1.4\n    environment:\n      - {u}={v}\n      - PORT=80\n"),
    ("workflow.yml", "jobs:\n  build:\n    steps:\n      - run: ./release\n        env:\n          {u}: {v}\n"),
    ("Dockerfile", "FROM debian:12\nENV {u}={v}\nCMD [\"/app\"]\n"),
    (".bash_history", "cd /srv/app\nexport {u}={v}\nmake release\n"),
    ("app.log", "2026-01-14T08:12:44Z INFO start\n2026-01-14T08:12:45Z DEBUG request token={v} status=200\n"),
    ("notes.md", "# Access\n\nUse `{v}` for the staging account.\n"),
    ("main.tf", 'provider "acme" {{\n  {l} = "{v}"\n  region = "eu"\n}}\n'),
    ("index.html", '<script>window.init({{"id": 7, "{c}": "{v}"}});</script>\n'),
    ("query.txt", "GET https://api.acme.io/v1/items?limit=10&token={v}\n"),
]


def camel(rule_id):
    first, *rest = rule_id.split("-")
    text = first + "".join(p.capitalize() for p in rest)
    return re.sub(r"^(\d)", r"n\1", text)


def fill(rng, template, rule, value):
    name, text = template
    upper = env_name(rule["id"])
    if rule.get("keywords"):
        upper = re.sub(r"\W", "", rule["keywords"][0].upper()) + "_KEY"
    return name, text.format(u=upper, l=upper.lower(), c=camel(upper.lower().replace("_", "-")),
                             v=value, n=noise(rng))


def shaped(corpus):
    """Every family that has a shape of its own, in an easy place; a third in a medium one."""
    rng = corpus.rng
    rules = [r for r in tokens.load_rules() if r.get("charset") and not r.get("allow")]
    for i, rule in enumerate(rules):
        grades = [("easy", EASY)] + ([("medium", MEDIUM)] if i % 3 == 0 else [])
        for grade, templates in grades:
            value = tokens.token(rng, rule)
            if rule["regex"].startswith(("hooks", "discord(")) or "webhook" in rule["regex"]:
                value = "https://" + value
            # Without its name, what needs one is nothing.
            choice = [t for t in templates if "{u}" in t[1] or "{l}" in t[1]
                      or not rule.get("keywords")]
            name, text = fill(rng, choice[rng.randrange(len(choice))], rule, value)
            corpus.plant(rule["id"], grade, name, text, value)


def settings(corpus):
    """Passwords and keys without a shape, under telling names."""
    rng = corpus.rng
    easy = [
        (".env", "{n}DB_PASSWORD={v}\n"), (".env", 'SMTP_PASS="{v}"\n{n}'),
        ("config.yaml", "db:\n  host: db1\n  user: app\n  password: {v}\n"),
        ("config.yml", "redis:\n  auth: true\n  requirepass: '{v}'\n"),
        ("settings.json", '{{"smtp": {{"user": "ops", "password": "{v}"}}}}\n'),
        ("app.ini", "[ldap]\nbind_dn = cn=svc\nbind_password = {v}\n"),
        ("db.properties", "jdbc.user=app\njdbc.password={v}\n"),
        ("config.toml", '[db]\nuser = "app"\npassword = "{v}"\n'),
        ("vars.sh", "export ADMIN_PASSWORD='{v}'\n"),
        ("app.conf", "admin_passwd = {v}\nlisten = 0.0.0.0\n"),
    ]
    for name, text in easy:
        value = password(rng).replace("#", "m").replace("&", "k").replace("%", "p")
        corpus.plant("password", "easy", name, text.format(v=value, n=noise(rng)), value)
    keys = [
        (".env", "JWT_SECRET={v}\n", 40), (".env", "API_KEY={v}\n", 32),
        ("config.json", '{{"clientSecret": "{v}"}}\n', 36),
        ("config.yaml", "auth:\n  signing_key: {v}\n", 44),
        (".env", "SESSION_SECRET={v}\n", 48), ("app.properties", "app.encryption.key={v}\n", 32),
        ("settings.py", "WEBHOOK_SECRET = '{v}'\n", 30),
        ("application.yml", "stripe:\n  api-key: {v}\n", 28),
    ]
    for name, text, n in keys:
        value = "".join(rng.choice(ALNUM) for _ in range(n - 1)) + "4"
        corpus.plant("generic-key", "easy", name, text.format(v=value), value)
    for name, text, n in ((".env", "ALGOLIA_ADMIN_KEY={v}\n", 32), (".env", "CONSUMER_SECRET={v}\n", 64),
                          ("config.yaml", "mailer:\n  api_key: {v}\n", 32),
                          ("config.php", "$config['encryption_key'] = '{v}';\n", 32)):
        value = hexadecimal(rng, n)
        corpus.plant("hex-key", "easy", name, text.format(v=value), value)
    for name, text in ((".env", "HEROKU_API_KEY={v}\n"), ("config.yaml", "license_key: {v}\n"),
                       ("notes.env", "CLIENT_SECRET={v}\n")):
        value = uuid(rng)
        corpus.plant("uuid-key", "easy", name, text.format(v=value), value)


CODE = [
    ("db.py", 'conn = connect(host="db1", user="app", password="{v}")\n'),
    ("db.js", "const pool = new Pool({{ user: 'app', password: '{v}', max: 5 }});\n"),
    ("db.ts", "const dbPassword: string = '{v}';\n"),
    ("Db.java", 'dataSource.setPassword("{v}");\n'),
    ("Db.kt", 'val adminPassword = "{v}"\n'),
    ("db.go", 'cfg := Config{{User: "app", Password: "{v}"}}\n'),
    ("db.rs", 'const DB_PASSWORD: &str = "{v}";\n'),
    ("db.rb", "Mysql2::Client.new(:username => 'app', :password => '{v}')\n"),
    ("db.php", "define('DB_PASSWORD', '{v}');\n"),
    ("db.c", '#define WIFI_PASSWORD "{v}"\n'),
    ("db.cpp", 'static const char* api_secret = "{v}";\n'),
    ("Db.cs", 'var credential = new NetworkCredential("svc", "{v}");\n'),
    ("db.swift", 'let password: String = "{v}"\n'),
    ("db.pl", 'my $password = "{v}";\n'),
    ("setup.ps1", "$Password = ConvertTo-SecureString '{v}' -AsPlainText -Force\n"),
    ("setup2.ps1", "$env:DB_PASSWORD = '{v}'\n"),
    ("test.lua", 'local password = "{v}"\n'),
    ("seed.sql", "CREATE USER app WITH PASSWORD '{v}';\n"),
    ("grant.sql", "CREATE USER 'app'@'%' IDENTIFIED BY '{v}';\n"),
    ("docker-compose.yml", "services:\n  db:\n    environment:\n      POSTGRES_PASSWORD: {v}\n"),
    ("pod.yaml", "    env:\n    - name: DB_PASSWORD\n      value: {v}\n"),
    ("task.json", '{{"environment": [{{"name": "DB_PASSWORD", "value": "{v}"}}]}}\n'),
    ("Dockerfile", "FROM php:8\nARG ADMIN_PASSWORD={v}\nRUN make\n"),
    ("run.sh", "docker run -d -e MYSQL_ROOT_PASSWORD={v} mysql:8\n"),
    ("login.sh", "docker login -u ci -p {v} registry.acme.io\n"),
    ("backup.sh", "mysqldump -h db1 -u root -p{v} crm | gzip > crm.sql.gz\n"),
    ("ssh.sh", "sshpass -p '{v}' ssh ops@10.2.3.4 uptime\n"),
    ("psql.sh", "PGPASSWORD={v} psql -h db1 -U app -c 'select 1'\n"),
    ("redis.sh", "redis-cli -h cache1 -a {v} ping\n"),
    (".zsh_history", ": 1736843211:0;curl -u deploy:{v} https://ci.acme.io/job\n"),
    ("flag.sh", "./server --admin-password={v} --port 80\n"),
    ("flag.json", '{{"command": ["server", "--auth-token", "{v}"]}}\n'),
    ("variables.tf", 'variable "db_password" {{\n  type    = string\n  default = "{v}"\n}}\n'),
    ("terraform.tfstate", '{{"resources": [{{"attributes": {{"master_password": "{v}"}}}}]}}\n'),
    ("group_vars.yml", "mysql_root_password: '{v}'\nmysql_port: 3306\n"),
    (".gitlab-ci.yml", "variables:\n  DEPLOY_PASSWORD: {v}\nstages: [build]\n"),
    ("Jenkinsfile", "environment {{\n  ADMIN_PASSWORD = '{v}'\n}}\n"),
    ("app.log", "2026-01-14 08:12:44 DEBUG connecting user=app password={v} host=db1\n"),
    ("mail.txt", "Hi,\nthe new password for the staging box is {v}\nBye\n"),
    ("settings.gradle", 'ext.keystorePassword = "{v}"\n'),
    ("env.rb", "ENV['DB_PASSWORD'] = '{v}'\n"),
    ("conf.ex", 'config :app, App.Repo, username: "app", password: "{v}"\n'),
]


def in_code(corpus):
    rng = corpus.rng
    for name, text in CODE:
        value = plain_password(rng)
        corpus.plant("password-in-" + name.rsplit(".", 1)[-1].lstrip("."), "medium", name,
                     text.format(v=value), value)
    urls = ["postgres://app:{v}@db1.acme.io:5432/app", "mysql://root:{v}@10.1.2.3/crm",
            "mongodb+srv://svc:{v}@cluster0.k3x9q.mongodb.net/prod",
            "redis://:{v}@cache-1.acme.io:6379/0", "amqp://bus:{v}@mq.acme.io:5672/%2f",
            "https://deploy:{v}@git.acme.io/infra.git", "ftp://upload:{v}@files.acme.io/in",
            "ldap://cn=svc:{v}@ldap.acme.io:389", "smtps://mailer:{v}@smtp.acme.io:465",
            "postgresql+asyncpg://app:{v}@db2.acme.io/app"]
    for i, url in enumerate(urls):
        value = plain_password(rng)
        name, text = [(".env", "DATABASE_URL={u}\n"), ("config.yaml", "url: {u}\n"),
                      ("main.py", 'ENGINE = create_engine("{u}")\n')][i % 3]
        corpus.plant("url-" + url.split(":")[0].split("+")[0], "medium", name,
                     text.format(u=url.format(v=value)), value)
    strings = ["Server=tcp:sql1.acme.io,1433;Database=crm;User Id=app;Password={v};Encrypt=True",
               "Driver={{ODBC Driver 18 for SQL Server}};Server=sql1;Uid=svc;Pwd={v};",
               "jdbc:mysql://db1:3306/crm?user=app&password={v}&useSSL=true",
               "host=db1 port=5432 dbname=app user=repl password={v} sslmode=require"]
    for text in strings:
        value = plain_password(rng)
        corpus.plant("connection-string", "medium", "app.config.json",
                     '{"main": "' + text.format(v=value) + '"}\n', value)


def keys(corpus):
    rng = corpus.rng
    for kind, name in (("RSA ", "id_rsa"), ("", "key.pem"), ("EC ", "ec.key")):
        text = pem(rng, kind, 117 if kind == "EC " else 608)
        corpus.plant("pem-private", "easy", name, text, text.split("\n")[0])
    text = pem(rng, "")
    corpus.plant("pem-private", "medium", "values.yaml",
                 "tls:\n  key: |\n" + "".join(f"    {line}\n" for line in text.splitlines()),
                 "-----BEGIN")
    corpus.plant("pem-private", "medium", "sa.json", json.dumps(
        {"type": "service_account", "project_id": "acme", "private_key_id": hexadecimal(rng, 40),
         "private_key": text, "client_email": "ci@acme.iam.gserviceaccount.com"}, indent=2),
        "-----BEGIN")
    corpus.plant("pem-private", "medium", "server.js",
                 "const key = `" + text + "`;\n", "-----BEGIN")
    corpus.plant("pem-private", "medium", ".env", 'TLS_KEY="' + text.replace("\n", "\\n") + '"\n',
                 "-----BEGIN")
    corpus.plant("pem-private", "hard", "Key.java", "String key = " + " +\n    ".join(
        f'"{line}\\n"' for line in text.splitlines()) + ";\n", "-----BEGIN")
    raw = b"openssh-key-v1\0\0\0\0\x04none\0\0\0\x04none" + rng.randbytes(180)
    body = base64.b64encode(raw).decode()
    corpus.plant("openssh-key", "easy", "id_ed25519", "\n".join(
        ["-----BEGIN OPENSSH PRIVATE KEY-----", *[body[i:i + 70] for i in range(0, len(body), 70)],
         "-----END OPENSSH PRIVATE KEY-----", ""]), "-----BEGIN")
    wireguard = base64.b64encode(rng.randbytes(32)).decode()
    corpus.plant("wireguard-key", "easy", "wg0.conf",
                 f"[Interface]\nAddress = 10.0.0.2/24\nPrivateKey = {wireguard}\n", wireguard)
    d = tokens.b64url(rng.randbytes(32))
    corpus.plant("jwk", "hard", "jwks.json", json.dumps({"keys": [
        {"kty": "EC", "crv": "P-256", "x": tokens.b64url(rng.randbytes(32)),
         "y": tokens.b64url(rng.randbytes(32)), "d": d}]}), d)
    key = base64.b64encode(rng.randbytes(120)).decode()
    corpus.plant("ppk", "medium", "ops.ppk",
                 "PuTTY-User-Key-File-2: ssh-rsa\nEncryption: none\nComment: ops\nPublic-Lines: 1\n"
                 f"AAAAB3NzaC1yc2E\nPrivate-Lines: 2\n{key[:64]}\n{key[64:]}\nPrivate-MAC: 00ff\n",
                 "PuTTY-User")


def places(corpus):
    """Hard: the secret is encoded, split, or in a form that few expect."""
    rng = corpus.rng
    hard = corpus.plant
    rules = {r["id"]: r for r in tokens.load_rules()}
    pick = lambda rule_id: tokens.token(rng, rules[rule_id])
    for encoding, name in (("utf-16", "export.reg"), ("utf-16-le", "deploy.ps1")):
        value = plain_password(rng)
        hard("utf16", "hard", name, f'$Server = "db1"\n$DbPassword = "{value}"\n', value,
             lambda text, e=encoding: text.encode(e))
    value = pick("github-pat")
    hard("utf16", "hard", "settings.txt", f"token={value}\n", value,
         lambda text: text.encode("utf-16"))
    for rule_id in ("gitlab-pat", "stripe-secret", "slack-bot", "sendgrid-key"):
        value = pick(rule_id)
        encoded = b64(f"url: https://api.acme.io\ntoken: {value}\n")
        hard("base64-" + rule_id, "hard", "cloud-init.yml",
             f"write_files:\n  - path: /etc/app.yml\n    encoding: b64\n    content: {encoded}\n",
             encoded)
    for key in ("password", "api-key", "db-pass"):
        encoded = b64(plain_password(rng))
        hard("k8s-secret", "hard", "secret.yaml",
             f"apiVersion: v1\nkind: Secret\nmetadata:\n  name: db\ntype: Opaque\ndata:\n  {key}: {encoded}\n",
             encoded)
    config = json.dumps({"auths": {"registry.acme.io": {"auth": b64("ci:" + plain_password(rng))}}})
    hard("docker-config", "easy", "config.json", config, '"auth"')
    hard("dockerconfigjson", "hard", "pull.yaml",
         "kind: Secret\ntype: kubernetes.io/dockerconfigjson\ndata:\n  .dockerconfigjson: "
         + b64(config) + "\n", b64(config))
    value = b64("svc:" + plain_password(rng))
    hard("basic-header", "medium", "req.http", f"GET / HTTP/1.1\nAuthorization: Basic {value}\n", value)
    value = "".join(rng.choice(ALNUM) for _ in range(40)) + "9"
    hard("bearer-header", "medium", "call.sh",
         f"curl -H 'Authorization: Bearer {value}' https://api.acme.io\n", value)
    for rule_id in ("github-pat", "aws-access-key-id", "openai-legacy", "digitalocean-pat"):
        value = pick(rule_id)
        at = len(value) // 2
        hard("split-" + rule_id, "hard", "split.py",
             f'TOKEN = ("{value[:at]}"\n         "{value[at:]}")\n', value[:at])
        hard("split-" + rule_id, "hard", "split.js",
             f"const token = '{value[:at]}' +\n  '{value[at:]}';\n", value[:at])
    for name, text in ((".env", "ADMIN_PASSWORD={v}\n"), ("app.yaml", "db:\n  password: {v}\n"),
                       ("app.py", 'password = "{v}"\n'), ("config.json", '{{"secret": "{v}"}}\n'),
                       (".env", "API_SECRET={v}\n")):
        value = letters(rng)
        hard("letters-only", "hard", name, text.format(v=value), value)
    value = plain_password(rng)
    hard("json-in-env", "hard", ".env",
         'APP_CONFIG={"db":{"user":"app","password":"' + value + '"}}\n', value)
    hard("json-in-json", "hard", "task.json",
         json.dumps({"config": json.dumps({"password": value})}) + "\n", value)
    for name, text in (("settings.xml", "<server>\n  <id>nexus</id>\n  <password>{v}</password>\n</server>\n"),
                       ("web.config", '<add key="SmtpPassword" value="{v}" />\n'),
                       ("context.xml", '<Resource name="jdbc/db" username="app" password="{v}"/>\n'),
                       ("beans.xml", '<property name="password" value="{v}"/>\n'),
                       ("prefs.xml", '<entry key="db.password">{v}</entry>\n')):
        value = plain_password(rng)
        hard("xml", "hard", name, text.format(v=value), value)
    value = f"blue kettle {rng.randrange(10, 99)} ferry!"
    hard("phrase", "hard", "mail.ini", f"[smtp]\nuser = ops\npassword = {value}\n", value)
    value = plain_password(rng)
    hard("netrc", "hard", ".netrc", f"machine api.acme.io\n  login ops\n  password {value}\n", value)
    hard("netrc", "medium", "_netrc", f"machine ftp.acme.io login ops password {value}\n", value)
    hard("pgpass", "hard", ".pgpass", f"db1.acme.io:5432:app:svc:{value}\n", value)
    hard("git-credentials", "medium", ".git-credentials", f"https://octo:{value}@git.acme.io\n", value)
    hard("my-cnf", "medium", ".my.cnf", f"[client]\nuser=root\npassword={value}\n", value)
    hard("pypirc", "medium", ".pypirc", f"[pypi]\nusername = ci\npassword = {value}\n", value)
    value = uuid(rng)
    hard("npmrc", "medium", ".npmrc", f"//npm.acme.io/:_authToken={value}\n", value)
    value = base64.b64encode(rng.randbytes(32)).decode()
    hard("laravel", "easy", ".env", f"APP_NAME=shop\nAPP_KEY=base64:{value}\n", value)
    value = hexadecimal(rng, 128)
    hard("rails", "easy", "secrets.yml", f"production:\n  secret_key_base: {value}\n", value)
    value = "".join(rng.choice(ALNUM + "!@#$%^&*(-_=+)") for _ in range(49)) + "7"
    hard("django", "easy", "settings.py", f"SECRET_KEY = '{value}'\n", value)
    value = password(rng)
    hard("sql-dump", "hard", "dump.sql",
         f"INSERT INTO settings VALUES (4,'smtp_password','{value}');\n", value)
    value = plain_password(rng)
    hard("ado-quoted", "hard", "app.cs",
         f'var c = "Server=sql1;Database=crm;User ID=app;Password=\'{value}\';";\n', value)
    hard("url-percent", "hard", "conf.yml",
         f"dsn: 'mysql://app:{value[:5]}%40{value[5:]}%21@db1/crm'\n", value[:5])
    hard("yaml-block", "hard", "values.yaml", f"db_password: >-\n  {value}\nport: 80\n", value)
    hard("continued", "hard", "run.sh", f"server --token \\\n  {value} \\\n  --port 80\n", value)
    hard("prose", "hard", "ticket.md", f"Log in with admin / {value}! until Monday.\n", value)
    hard("gzip", "hard", "app.conf.gz", f"db_password = {value}\n", value,
         lambda text: gzip.compress(text.encode(), mtime=0))
    for name, text in (
            ("site.conf", 'proxy_set_header Authorization "Bearer {v}";\n'),
            ("trace.har", '{{"name": "Authorization",\n "value": "Bearer {v}"}}\n'),
            ("stack.yaml", "Parameters:\n  DbPassword:\n    Type: String\n    Default: {v}\n"),
            ("params.json", '{{"parameters":{{"adminPassword":{{"value":"{v}"}}}}}}\n'),
            ("env.js", 'const secret = process.env.JWT_SECRET || "{v}";\n'),
            ("start.sh", 'DB_PASSWORD="${{DB_PASSWORD:-{v}}}"\n'),
            ("fix.sql", "UPDATE settings SET value = '{v}' WHERE name = 'smtp_password';\n"),
            ("keys.csv", "service,kind,value\nweb,session_secret,{v}\n"),
            ("init.sh", "printf '%s' '{v}' > /etc/app/db-password\n"),
            ("main.tf", "locals {{\n  db_password = <<EOT\n{v}\nEOT\n}}\n"),
            ("mirror.sh", "lftp -u deploy,{v} sftp://files.acme.io -e quit\n"),
            ("unattend.xml", "<AdministratorPassword>\n  <Value>{v}</Value>\n"),
            ("wiki.md", "| host | password |\n|---|---|\n| db1 | {v} |\n"),
            ("app.edn", '{{:port 80\n :service-api-key "{v}"}}\n')):
        value = plain_password(rng, 24)
        hard("place-" + name, "hard", name, text.format(v=value), value)
    value = pick("shopify-token")
    hard("program", "hard", "app.exe", value + "\n", value,
         lambda text: b"MZ\0\1" + b"\x90" * 200 + text.encode("utf-16-le") + b"\x90" * 200)
    hard("database", "hard", "app.db", value + "\n", value,
         lambda text: b"SQLite format 3\0" + bytes(200) + b"shopify" + text.strip().encode() + b"next" + bytes(200))
    account = base64.b64encode(rng.randbytes(64)).decode()
    hard("azure-account", "easy", ".env", "AZURE_STORAGE=DefaultEndpointsProtocol=https;AccountName="
         f"acme;AccountKey={account};EndpointSuffix=core.windows.net\n", account)
    sig = base64.b64encode(rng.randbytes(32)).decode().replace("+", "%2B").replace("/", "%2F")
    sig = sig.replace("=", "%3D")
    hard("azure-sas", "medium", "upload.sh",
         f'azcopy cp . "https://acme.blob.core.windows.net/c?sv=2022-11-02&se=2027-01-01&sr=c&sp=rl&sig={sig}"\n', sig)
    secret = "".join(rng.choice(ALNUM + "+/") for _ in range(39)) + "7"
    hard("aws-pair", "easy", "credentials",
         f"[default]\naws_access_key_id = {pick('aws-access-key-id')}\naws_secret_access_key = {secret}\n", secret)
    hard("aws-pair", "hard", "keys.csv",
         f"User,Access key,Other\nci,{pick('aws-access-key-id')},{secret}\n", secret)
    hard("mnemonic", "hard", "deploy.env",
         'MNEMONIC="rural glance orbit violin cactus humble meadow pistol tackle quarter winter embark"\n',
         "rural")
    hard("htpasswd", "medium", ".htpasswd", f"ops:$apr1${letters(rng, 8)}$" + "".join(
        rng.choice(ALNUM) for _ in range(22)) + "\n", "$apr1$")
    hard("kubeconfig", "hard", "kubeconfig", f"users:\n- name: admin\n  user:\n    client-key-data: {b64(pem(rng, 'RSA '))}\n", "client-key-data")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=20260114)
    parser.add_argument("directory", type=pathlib.Path)
    args = parser.parse_args()
    corpus = Corpus(args.directory, random.Random(args.seed))
    for part in (shaped, settings, in_code, keys, places, negatives.write):
        part(corpus)
    with open(args.directory / "labels.jsonl", "w", encoding="utf-8") as file:
        for label in corpus.labels:
            print(json.dumps(label), file=file)


if __name__ == "__main__":
    main()
