// SPDX-License-Identifier: Apache-2.0
// A vaultd of its own for the tests of one file, over TLS, from a configuration file.
'use strict';

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const nodeVault = require('node-vault');

const PATIENCE_MS = 30000;

function freePort() {
    return new Promise((resolve, reject) => {
        const server = net.createServer();
        server.on('error', reject);
        server.listen(0, '127.0.0.1', () => {
            const { port } = server.address();
            server.close(() => resolve(port));
        });
    });
}

// Calls fn until it is true; a refused connection is not.
async function waitFor(what, fn) {
    const end = Date.now() + PATIENCE_MS;
    for (;;) {
        if (await fn().catch(() => false)) return;
        if (Date.now() > end) throw new Error(`timed out waiting for ${what}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
    }
}

class Server {
    // extra: further lines of the configuration file
    async start(extra = []) {
        this.dir = fs.mkdtempSync(path.join(process.env.TMPDIR || '/tmp', 'node.'));
        this.port = await freePort();
        const config = path.join(this.dir, 'vaultd.yaml');
        fs.writeFileSync(config, [
            `data_dir: ${this.dir}/data`,
            `listen: 127.0.0.1:${this.port}`,
            `listen_hosts: 127.0.0.1:${await freePort()}`,
            ...extra, ''].join('\n'));
        const log = fs.openSync(path.join(this.dir, 'vaultd.log'), 'a');
        this.proc = spawn(path.join(process.env.VAULTD_BIN_DIR || 'build/bin', 'vaultd'),
            ['--config', config], { stdio: ['ignore', log, log] });
        fs.closeSync(log);
        this.ended = new Promise((resolve) => this.proc.once('exit', resolve));
        await waitFor('vaultd to serve', async () => {
            if (this.proc.exitCode !== null) {
                throw new Error(fs.readFileSync(path.join(this.dir, 'vaultd.log'), 'utf8'));
            }
            return (await this.client('').status()).sealed !== undefined;
        });
        return this;
    }

    // A client that trusts the certificate that vaultd made for itself, and no other.
    client(token, options = {}) {
        return nodeVault({
            endpoint: `https://127.0.0.1:${this.port}`,
            token: token === undefined ? this.root : token,
            requestOptions: { ca: fs.readFileSync(path.join(this.dir, 'data/tls/cert.pem')) },
            ...options,
        });
    }

    async init(shares = 1, threshold = 1) {
        const made = await this.client('').init({ secret_shares: shares, secret_threshold: threshold });
        this.root = made.root_token;
        this.keys = made.keys;
        return made;
    }

    async unseal(threshold = 1) {
        for (const key of this.keys.slice(0, threshold)) await this.client('').unseal({ key });
        await waitFor('vaultd to be unsealed', async () => !(await this.client('').health()).sealed);
    }

    async stop() {
        this.proc.kill('SIGTERM');
        await this.ended;
    }
}

module.exports = { Server, waitFor };
