# SPDX-License-Identifier: Apache-2.0
"""Files of the corpus that hold no secret, however much they look like it."""

import base64
import hashlib
import json

import tokens

HASHED = ("crc32", "bech32", "base58")

# name, text: each is a file.
PLAIN = [
    (".env.example", "DB_PASSWORD=changeme\nAPI_KEY=your-api-key-here\nJWT_SECRET=<your secret>\n"),
    (".env.sample", "SECRET_KEY=replace_me\nSTRIPE_KEY=sk_test_xxxxxxxxxxxxxxxxxxxxxxxx\n"),
    (".env", "DB_PASSWORD=${DB_PASSWORD}\nTOKEN=$CI_JOB_TOKEN\n"),
    (".env", "POSTGRES_PASSWORD_FILE=/run/secrets/db_password\n"),
    (".env", "PASSWORD_MIN_LENGTH=12\nTOKEN_TTL=3600\nSECRET_NAME=billing/prod/db\n"),
    (".env", "DATABASE_URL=postgres://postgres:postgres@localhost:5432/postgres\n"),
    (".env", "VAULT_SECRET=vault:secret/data/app#password\n"),
    (".env", "NEXT_PUBLIC_SITE_KEY=6LeIxAcTAAAAAJcZVRqyHh71UMIEGNQ_MXjiZKhI\n"),
    (".env", "GOOGLE_CLIENT_ID=471892330117-q8v2zk7m1x9c4b6n3t5r0w8e2y7u1i4o.apps.googleusercontent.com\n"),
    (".env", "API_KEY=\nDB_PASSWORD=\nSECRET=\n"),
    ("models.py", "class User(Model):\n    password: str\n    token: Optional[str] = None\n"),
    ("config.py", 'PASSWORD = os.environ["DB_PASSWORD"]\nTOKEN = os.getenv("API_TOKEN", "")\n'),
    ("auth.py", "token = generate_token(user)\npassword = form.cleaned_data['password']\n"),
    ("auth.py", "def check(password, hashed_password):\n    return verify(password, hashed_password)\n"),
    ("auth.js", "const token = req.headers.authorization;\nconst secret = process.env.JWT_SECRET;\n"),
    ("auth.js", "const password = document.getElementById('password').value;\n"),
    ("auth.ts", "interface Login { username: string; password: string; accessToken?: string }\n"),
    ("auth.go", 'password := os.Getenv("DB_PASSWORD")\ntoken, err := parseToken(raw)\n'),
    ("Auth.java", 'String password = System.getenv("DB_PASSWORD");\nString token = request.getHeader("X-Auth-Token");\n'),
    ("auth.rb", "password = ENV.fetch('DB_PASSWORD')\nsecret = Rails.application.credentials.secret_key_base\n"),
    ("auth.php", "$password = getenv('DB_PASSWORD');\n$token = $_POST['token'];\n"),
    ("auth.cs", 'var password = Configuration["Db:Password"];\n'),
    ("auth.rs", 'let password = std::env::var("DB_PASSWORD").unwrap();\n'),
    ("auth.c", 'char *password = getenv("PASSWORD");\nif (strcmp(password, "") == 0)\n\treturn -1;\n'),
    ("pem.c", 'if (strstr(p, "-----BEGIN RSA PRIVATE KEY-----") != NULL)\n\treturn PEM_RSA;\n'),
    ("README.md", "```\n-----BEGIN RSA PRIVATE KEY-----\n...\n-----END RSA PRIVATE KEY-----\n```\n"),
    ("README.md", "Set `API_KEY=<your api key>` and run `curl -H 'Authorization: Bearer <token>'`.\n"),
    ("README.md", "curl -u username:password https://api.example.com/v1\n"),
    ("README.md", "Connect with `mysql://user:password@host:3306/db`.\n"),
    ("README.md", "export AWS_ACCESS_KEY_ID=AKIAIOSFODNN7" "EXAMPLE\nexport AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCY" "EXAMPLEKEY\n"),
    ("README.md", "The password is required. Your token is invalid or expired.\n"),
    ("README.md", "docker login -u USER -p PASSWORD registry.example.com\n"),
    ("docs.rst", "Authorization: Basic dXNlcjpwYXNz" "d29yZA==\n"),
    ("rfc.txt", "Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\n"),
    ("oauth.md", '{"access_token":"2YotnFZFEjr1zCsicMWpAA","token_type":"example","refresh_token":"tGzv3JOkF0XG5Qx2TlKWIA"}\n'),
    ("jwt.md", "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c\n"),
    ("azurite.json", '{"conn": "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;"}\n'),
    ("en.json", '{"password": "Password", "forgot_password": "Forgot your password?", "token_expired": "Your token has expired"}\n'),
    ("de.json", '{"password": "Passwort", "new_password": "Neues Passwort eingeben", "secret": "Geheimnis"}\n'),
    ("messages.properties", "password.label=Enter your password\npassword.confirm=Confirm your new password\n"),
    ("strings.xml", '<string name="password">Password</string>\n<string name="password_hint">At least 8 characters</string>\n'),
    ("fr.po", 'msgid "Password"\nmsgstr "Mot de passe"\n'),
    ("form.html", '<input type="password" name="password" placeholder="Password" autocomplete="current-password">\n'),
    ("form.jsx", '<Field name="password" type="password" label="Password" secret="true" />\n'),
    ("schema.json", '{"properties": {"password": {"type": "string", "minLength": 8}, "token": {"$ref": "#/token"}}}\n'),
    ("openapi.yaml", "securitySchemes:\n  apiKey:\n    type: apiKey\n    in: header\n    name: X-API-Key\n"),
    ("openapi.yaml", "    password:\n      type: string\n      format: password\n      example: myp4ssw0rd-here\n"),
    ("deployment.yaml", "env:\n- name: DB_PASSWORD\n  valueFrom:\n    secretKeyRef:\n      name: db\n      key: password\n"),
    ("deployment.yaml", "imagePullSecrets:\n- name: registry-credentials\nvolumes:\n- secret:\n    secretName: tls-certificate\n"),
    ("sealed.yaml", "kind: SealedSecret\nspec:\n  encryptedData:\n    password: AgBy3i4OJSWK+PiTySYZZA9rO43cGDEq0Vv2kQ8nM1xLtPz7\n"),
    ("external.yaml", "kind: ExternalSecret\nspec:\n  data:\n  - secretKey: password\n    remoteRef:\n      key: prod/db\n"),
    ("sops.yaml", "password: ENC[AES256_GCM,data:p673w8aXkq==,iv:YYd2kq8vM1xLt=,tag:A7zQ9w==,type:str]\n"),
    ("vault.yml", "$ANSIBLE_VAULT;1.1;AES256\n62313365396662343061393464336163383764373764613633653634306231386433626436623361\n"),
    ("vars.yml", "db_password: \"{{ vault_db_password }}\"\ntoken: \"{{ lookup('env', 'TOKEN') }}\"\n"),
    ("vars.yml", "db_password: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  6231336539666234306139346433616338376437\n"),
    ("settings.xml", "<password>${env.CI_PASSWORD}</password>\n"),
    ("settings.xml", "<password>{COQLCE6DU6GtcS5P=}</password>\n"),
    ("web.config", '<add key="Password" value="#{SmtpPassword}#" />\n'),
    ("main.tf", 'resource "random_password" "db" {\n  length = 20\n}\npassword = random_password.db.result\n'),
    ("main.tf", 'variable "db_password" {\n  type      = string\n  sensitive = true\n}\ntoken = var.token\n'),
    ("ci.yml", "env:\n  TOKEN: ${{ secrets.GITHUB_TOKEN }}\n  NPM_TOKEN: ${{ secrets.NPM_TOKEN }}\n"),
    (".gitlab-ci.yml", "script:\n  - docker login -u $CI_USER -p $CI_PASSWORD $CI_REGISTRY\n"),
    ("Dockerfile", "ARG DB_PASSWORD\nENV SSH_KEY_PATH=/etc/app/id_ed25519\nENV DB_PASSWORD=$DB_PASSWORD\n"),
    ("docker-compose.yml", "secrets:\n  db_password:\n    file: ./db_password.txt\n    environment:\n      DB_PASSWORD_FILE: /run/secrets/db_password\n"),
    (".npmrc", "//registry.npmjs.org/:_authToken=${NPM_TOKEN}\n"),
    (".pypirc", "[pypi]\nusername = __token__\npassword = <your token>\n"),
    (".netrc", "machine example.com login me password <password>\n"),
    ("pgpass.sample", "# hostname:port:database:username:password\n"),
    ("run.sh", 'mysql -u root -p"$MYSQL_ROOT_PASSWORD" -e "select 1"\ncurl -u "$USER:$PASS" https://ci\n'),
    ("run.sh", "read -s -p 'Password: ' PASSWORD\nexport PASSWORD\n"),
    ("run.sh", "openssl rand -base64 32 > secret.key\nPASSWORD=$(pwgen 20 1)\n"),
    ("usage.txt", "usage: prog --password PASSWORD --token TOKEN --api-key-file FILE\n"),
    ("app.log", "2026-01-14 INFO user alice changed password\n2026-01-14 WARN token expired for session\n"),
    ("app.log", "password=******** token=[REDACTED] secret=<hidden>\n"),
    ("access.log", '10.0.0.1 - - "GET /static/app.4f3a9c81d2.js?v=8f2b1c9d HTTP/1.1" 200\n'),
    ("style.css", ".md-token-field__password-input { color: #4f3a9c; }\n.mandrill { width: 10px }\n"),
    ("keys.js", "const KEY_ENTER = 13; const keyboardLayout = 'qwertz'; const primaryKey = 'user_id';\n"),
    ("i18n.js", "t('auth.password.reset.title'); t('errors.token_invalid_or_expired_message');\n"),
    ("redux.js", "export const SET_AUTH_TOKEN = 'auth/SET_AUTH_TOKEN';\nconst SECRET_MODAL = 'modals/secretModal';\n"),
    ("const.go", 'const HeaderToken = "X-Registry-Auth-Token"\nconst SecretTypeOpaque = "Opaque"\n'),
    ("const.py", 'AUTH_HEADER = "Authorization"\nTOKEN_URL = "https://login.acme.io/oauth2/v2.0/token"\nSECRET_ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/db-AbCdEf"\n'),
    ("perm.py", 'PERMISSIONS = ["secrets.list", "secrets.create", "tokens.revoke"]\n'),
    ("regex.py", r"""RULES = [r'ghp_[0-9A-Za-z]{36}', r'xox[baprs]-[0-9]{10,12}', r'://[^:]+:[^@]+@']""" + "\n"),
    ("test_login.py", 'client.login(username="alice", password="password")\nassert token == "test-token"\n'),
    ("test_auth.js", "expect(auth({ password: 'wrong-password' })).toThrow();\n"),
    ("fixtures.json", '{"username": "testuser", "password": "test1234", "token": "dummy-token"}\n'),
    ("nginx.conf", "ssl_certificate_key /etc/ssl/private/server.key;\nproxy_set_header Authorization $http_authorization;\n"),
    ("sshd_config", "PasswordAuthentication no\nPermitEmptyPasswords no\nHostKey /etc/ssh/ssh_host_ed25519_key\n"),
    ("pam.conf", "password requisite pam_pwquality.so retry=3\npassword sufficient pam_unix.so use_authtok\n"),
    ("my.cnf", "[mysqld]\ndefault_authentication_plugin=caching_sha2_password\n"),
    ("redis.conf", "# requirepass foobared\nmasterauth <master-password>\n"),
    ("kubeconfig", "users:\n- name: a\n  user:\n    tokenFile: /var/run/token\n    client-key-data: REDACTED\n"),
    ("jwks.json", '{"keys":[{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMs","e":"AQAB","kid":"2011-04-29"}]}\n'),
    ("authorized_keys", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE ops@acme\n"),
    ("known_hosts", "git.acme.io ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQC7vbqajDw4o6gJy8UtmIbkcpnkO3Kwc4qsEnSZp/TR+fQi62F79RHWmwKOtFmwteURgLbj7D/WGuNLGOfa/2vse3G2eHnHl5CB8ruRX9fBl\n"),
    ("wg.conf", "[Peer]\nPublicKey = xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=\nAllowedIPs = 10.0.0.0/24\n"),
    ("age.txt", "# public key: age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p\n"),
    ("firebase.js", "const config = { authDomain: 'acme.firebaseapp.com', messagingSenderId: '471892330117', appId: '1:471892330117:web:8f2b1c9d4e7a6b3c' };\n"),
    ("analytics.html", "<script>gtag('config', 'G-8QK2V7ZM1X'); posthog.init('phc_q7ZvT2mLx9Kd7RwP4nBsc8Yh3Fg6Jk1Nu5Oe0Ia2XbE');</script>\n"),
    ("mapbox.js", "mapboxgl.accessToken = 'pk.eyJ1IjoiYWNtZSIsImEiOiJjazhxMnY3em0xeDljIn0.q7ZvT2mLx9Kd7RwP4nBsc8';\n"),
    ("stripe.js", "const stripe = Stripe('pk_live_q7ZvT2mLx9Kd7RwP4nBsc8Yh');\n"),
    ("go.sum", "github.com/pkg/errors v0.9.1 h1:FEBLx1zS214owpjy7qsBeixbURkuhQAwrK5UwLGTwt4=\n"),
    ("flake.lock", '{"nodes":{"nixpkgs":{"locked":{"narHash":"sha256-q7ZvT2mLx9Kd7RwP4nBsc8Yh3Fg6Jk1Nu5Oe0Ia2XbE=","rev":"8f2b1c9d4e7a6b3c0d5f2a1b9c8e7d6f5a4b3c2d"}}}}\n'),
    ("bower.json", '{"resolutions": {"tokenize": "1.2.3"}, "keywords": ["password", "secret-sharing"]}\n'),
    ("swagger.json", '{"securityDefinitions": {"token": {"type": "apiKey", "name": "Authorization", "in": "header"}}}\n'),
    ("rotate.py", "secret_name = 'prod/billing/database'\nkey_id = 'alias/prod-billing'\nkms_key = 'arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab'\n"),
    ("trace.log", "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 request_id=7c1f9e3a-5b28-4d04-a7e1-c9f3a5b28d04\n"),
    ("uuid.sql", "INSERT INTO users (id, token_id) VALUES ('7c1f9e3a-5b28-4d04-a7e1-c9f3a5b28d04', '1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed');\n"),
    ("cache.yml", "key: v1-deps-{{ checksum \"package-lock.json\" }}\nrestore-keys: v1-deps-\n"),
    ("csp.html", "<script nonce=\"q7ZvT2mLx9Kd7RwP4nBs\" src=\"/app.js\" integrity=\"sha384-q7ZvT2mLx9Kd7RwP4nBsc8Yh3Fg6Jk1Nu5Oe0Ia2XbEq7ZvT2mLx9Kd7RwP4nBsc8\"></script>\n"),
    ("keyboard.c", "static const char *keymap = \"qwertyuiopasdfghjkl\";\nint monkey_token = 4;\n"),
    ("ini.ini", "[security]\npassword_policy = strict\ntoken_type = bearer\nauth_method = sha256\n"),
    ("saml.xml", "<ds:SignatureMethod Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256\"/><ds:KeyName>idp-signing</ds:KeyName>\n"),
    ("policy.json", '{"Action": ["secretsmanager:GetSecretValue", "sts:GetSessionToken"], "Resource": "*"}\n'),
    ("systemd.service", "[Service]\nLoadCredential=token:/etc/app/token\nEnvironment=TOKEN_PATH=%d/token\n"),
    ("makefile", "deploy: token = $(shell cat .token)\npassword ?= $(error set password)\n"),
    ("1pw.env", "DB_PASSWORD=op://prod/db/password\nAPI_KEY=ref+vault://secret/app#key\n"),
    ("allow.py", 'TOKEN = "ghp_' + "q7ZvT2mLx9Kd7RwP4nBsc8Yh3Fg6Jk1Nu5Oe" + '"  # gitleaks:allow\n'),
    ("allow2.py", 'password = "Tq7vz2Lm9xw!"  # vaultctl:allow\n'),
]

# Text where nothing promises a secret: files are made of parts of it.
WORDS = ("The token is created by the server and sent with every request . A password that is "
         "too short will be refused . Keys are rotated each month ; see the policy for secrets").split()


def made(rng):
    """Digests and blobs of all kinds."""
    digest = lambda name: hashlib.new(name, rng.randbytes(16)).hexdigest()
    blob = lambda n: base64.b64encode(rng.randbytes(n)).decode()
    for _ in range(3):
        yield "package-lock.json", json.dumps({"packages": {"node_modules/a": {
            "version": "1.2.3", "resolved": "https://registry.npmjs.org/a/-/a-1.2.3.tgz",
            "integrity": "sha512-" + blob(64)}}}, indent=2)
        yield "yarn.lock", f'a@^1.0.0:\n  resolved "https://registry.yarnpkg.com/a.tgz#{digest("sha1")}"\n  integrity sha512-{blob(64)}\n'
        yield "Cargo.lock", f'[[package]]\nname = "secret-token"\nversion = "1.0.0"\nchecksum = "{digest("sha256")}"\n'
        yield "poetry.lock", f'[[package]]\nname = "keyring"\nfiles = [{{file = "k.whl", hash = "sha256:{digest("sha256")}"}}]\n'
        yield "SHA256SUMS", f"{digest('sha256')}  secrets-token-1.2.tar.gz\n{digest('sha256')}  key.deb\n"
        yield "commit.txt", f"commit {digest('sha1')}\nAuthor: Ann <ann@acme.io>\n\n    auth: refresh the token earlier\n"
        yield "page.html", f'<img src="data:image/png;base64,iVBORw0KGgo{blob(300)}">\n'
        yield "font.css", f"@font-face{{src:url(data:font/woff2;base64,{blob(400)})}}\n"
        yield "cert.pem", f"-----BEGIN CERTIFICATE-----\n{blob(48)}\n{blob(48)}\n{blob(30)}\n-----END CERTIFICATE-----\n"
        yield "pub.pem", f"-----BEGIN PUBLIC KEY-----\n{blob(48)}\n{blob(48)}\n-----END PUBLIC KEY-----\n"
        yield "sig.asc", f"-----BEGIN PGP SIGNATURE-----\n\n{blob(48)}\n={blob(3)}\n-----END PGP SIGNATURE-----\n"
        yield "app.min.js", "!function(e,t){" + "".join(
            f'var {rng.choice("abcdef")}{i}="{rng.choice(WORDS)}",k{i}=function(n){{return n.token}};'
            for i in range(40)) + "}();\n"
        yield "app.js.map", json.dumps({"version": 3, "mappings": "AAAA,SAASA,EAAEC" + blob(200)})
        yield "image.yaml", f"image: registry.acme.io/app@sha256:{digest('sha256')}\nimagePullPolicy: Always\n"
        yield "etag.http", f'HTTP/1.1 200 OK\nETag: "{digest("md5")}"\nX-Request-Id: {digest("md5")}\n'
        yield "dump.txt", "\n".join(f"{i * 16:08x}  {rng.randbytes(16).hex(' ')}" for i in range(20))
        yield "prose.md", " ".join(rng.choice(WORDS) for _ in range(200)) + "\n"
        yield "git.md", f"Fixed in {digest('sha1')[:12]} and {digest('sha1')}, see token-refresh.\n"
        yield "tx.json", json.dumps({"hash": "0x" + digest("sha256"), "blockHash": "0x" + digest("sha256")})


def write(corpus):
    rng = corpus.rng
    for name, text in PLAIN:
        corpus.write(name, text)
    for name, text in made(rng):
        corpus.write(name, text)
    rules = [r for r in tokens.load_rules() if r.get("charset")]
    for rule in rules:
        if rule.get("verified") and rule.get("validator", "").startswith(HASHED):
            for name in ("look.env", "look.py"):
                corpus.write("lookalike-" + name, f'TOKEN="{tokens.lookalike(rng, rule)}"\n')
    for rule in rules[::4]:
        token = tokens.token(rng, rule)
        if rule.get("keywords") or len(token) < 24:
            continue
        masked = token[:8] + "x" * (len(token) - 8)
        corpus.write("masked.md", f"Set the token to `{masked}`.\n")
        corpus.write("short.md", f"It begins with {token[:len(token) // 4]} and so on.\n")
