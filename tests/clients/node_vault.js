// SPDX-License-Identifier: Apache-2.0
// node-vault, command by command.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const runner = require('node:test');
const { Server, waitFor } = require('./vaultd.js');

const server = new Server();
let vault;
let serial = 0;

const test = (what, fn) => runner.test(what, { timeout: 30000 }, fn);

const unique = () => `n${++serial}`;

// The promise is refused with this status and, if given, this message.
async function refused(promise, status, message) {
    await assert.rejects(promise, (e) => {
        assert.equal(e.response.statusCode, status, e.message);
        if (message !== undefined) assert.equal(e.message, message);
        return true;
    });
}

// Commands that hand a token out make their client go on with it.
const root = () => server.client();

runner.before(async () => {
    await server.start();
    await server.init();
    await server.unseal();
    vault = server.client();
});
runner.after(() => server.stop());

// --- state ------------------------------------------------------------------------------

test('status, initialized, health, leader', async () => {
    const status = await vault.status();
    assert.deepEqual([status.sealed, status.t, status.n, status.progress], [false, 1, 1, 0]);
    assert.deepEqual(await vault.initialized(), { initialized: true });
    const health = await vault.health();
    assert.deepEqual([health.initialized, health.sealed, health.standby], [true, false, false]);
    assert.equal((await vault.health({ activecode: 299 })).sealed, false);
    assert.equal((await vault.leader()).ha_enabled, false);
});

test('init, unseal and seal', async () => {
    const other = await new Server().start();
    try {
        const nobody = other.client('');
        assert.deepEqual(await nobody.initialized(), { initialized: false });
        const made = await other.init(3, 2);
        assert.equal(made.keys.length, 3);
        assert.equal(made.keys_base64.length, 3);
        await refused(nobody.init({ secret_shares: 1, secret_threshold: 1 }), 400, 'Vault is already initialized');
        await refused(nobody.read('secret/data/x'), 503, 'Vault is sealed');
        const half = await nobody.unseal({ key: made.keys[0] });
        assert.deepEqual([half.sealed, half.progress, half.t], [true, 1, 2]);
        assert.equal((await nobody.unseal({ reset: true })).progress, 0);
        await other.unseal(2);
        assert.equal((await other.client().tokenLookupSelf()).data.policies[0], 'root');
        await other.client().seal();
        assert.equal((await nobody.status()).sealed, true);
    } finally {
        await other.stop();
    }
});

test('rotate', async () => {
    const before = (await vault.read('sys/key-status')).data.term;
    await vault.rotate();
    assert.equal((await vault.read('sys/key-status')).data.term, before + 1);
});

// --- secrets ----------------------------------------------------------------------------

test('KV version 2: write, read, update, list, delete', async () => {
    const at = unique();
    assert.equal((await vault.write(`secret/data/${at}/a`, { data: { k: 'v', n: 1 } })).data.version, 1);
    assert.deepEqual((await vault.read(`secret/data/${at}/a`)).data.data, { k: 'v', n: 1 });
    const patched = await vault.update(`secret/data/${at}/a`, { data: { n: null, m: 2 } });
    assert.equal(patched.data.version, 2);
    assert.deepEqual((await vault.read(`secret/data/${at}/a`)).data.data, { k: 'v', m: 2 });
    assert.deepEqual((await vault.read(`secret/data/${at}/a?version=1`)).data.data, { k: 'v', n: 1 });
    assert.deepEqual((await vault.list(`secret/metadata/${at}`)).data.keys, ['a']);
    await vault.delete(`secret/data/${at}/a`);
    await refused(vault.read(`secret/data/${at}/a`), 404);
    await vault.write(`secret/undelete/${at}/a`, { versions: [2] });
    assert.deepEqual((await vault.read(`secret/data/${at}/a`)).data.data, { k: 'v', m: 2 });
    await vault.destroySecretVersions({ mount_point: 'secret', path: `${at}/a`, versions: [1] });
    await refused(vault.read(`secret/data/${at}/a?version=1`), 404);
    await vault.delete(`secret/metadata/${at}/a`);
    await refused(vault.read(`secret/metadata/${at}/a`), 404, 'Status 404');
});

test('check-and-set', async () => {
    const at = unique();
    await vault.write(`secret/data/${at}`, { data: {}, options: { cas: 0 } });
    await refused(vault.write(`secret/data/${at}`, { data: {}, options: { cas: 0 } }), 400,
        'check-and-set parameter did not match the current version');
});

test('list without the LIST verb', async () => {
    const at = unique();
    await vault.write(`secret/data/${at}/a`, { data: {} });
    const plain = server.client(undefined, { noCustomHTTPVerbs: true });
    assert.deepEqual((await plain.list(`secret/metadata/${at}`)).data.keys, ['a']);
});

test('KV version 1', async () => {
    const at = unique();
    await vault.mount({ mount_point: at, type: 'kv', options: { version: '1' } });
    await vault.write(`${at}/a/b`, { k: 'v' });
    const got = await vault.read(`${at}/a/b`);
    assert.deepEqual([got.data, got.lease_duration, got.lease_id], [{ k: 'v' }, 2764800, '']);
    assert.deepEqual((await vault.list(`${at}/a`)).data.keys, ['b']);
    await refused(vault.update(`${at}/a/b`, { k: 'w' }), 405);
    await vault.delete(`${at}/a/b`);
    await refused(vault.read(`${at}/a/b`), 404, 'Status 404');
    await vault.unmount({ mount_point: at });
});

test('cubbyhole', async () => {
    await vault.write('cubbyhole/mine', { k: 'v' });
    assert.deepEqual((await vault.read('cubbyhole/mine')).data, { k: 'v' });
    assert.deepEqual((await vault.list('cubbyhole')).data.keys, ['mine']);
    await vault.delete('cubbyhole/mine');
    await refused(vault.read('cubbyhole/mine'), 404);
});

// --- mounts, policies, audit ------------------------------------------------------------

test('mounts, mount, remount, unmount', async () => {
    const at = unique();
    await vault.mount({ mount_point: at, type: 'kv', description: 'mine', options: { version: '2' } });
    const mounts = await vault.mounts();
    assert.equal(mounts[`${at}/`].type, 'kv');
    assert.deepEqual(mounts.data[`${at}/`], mounts[`${at}/`]);
    await vault.write(`${at}/data/x`, { data: { k: 'v' } });
    const { migration_id } = (await vault.remount({ from: at, to: `${at}-new` })).data;
    await waitFor('the mount to have moved', async () =>
        (await vault.read(`sys/remount/status/${migration_id}`)).data.migration_info.status === 'success');
    assert.deepEqual((await vault.read(`${at}-new/data/x`)).data.data, { k: 'v' });
    await vault.unmount({ mount_point: `${at}-new` });
    assert.equal((await vault.mounts())[`${at}-new/`], undefined);
});

test('auths, enableAuth, disableAuth', async () => {
    const at = unique();
    await vault.enableAuth({ mount_point: at, type: 'approle', description: 'apps' });
    const auths = await vault.auths();
    assert.deepEqual([auths[`${at}/`].type, auths.data['token/'].type], ['approle', 'token']);
    await vault.disableAuth({ mount_point: at });
    assert.equal((await vault.auths())[`${at}/`], undefined);
});

test('policies, addPolicy, getPolicy, removePolicy', async () => {
    const name = unique();
    const rules = 'path "secret/data/app/*" { capabilities = ["read"] }';
    await vault.addPolicy({ name, rules });
    const got = await vault.getPolicy({ name });
    assert.deepEqual([got.name, got.rules, got.data.rules], [name, rules, rules]);
    assert.ok((await vault.policies()).policies.includes(name));
    await vault.removePolicy({ name });
    await refused(vault.getPolicy({ name }), 404);
});

test('audits', async () => {
    const audits = await vault.audits();
    assert.notEqual(Object.keys(audits.data).length, 0);
});

// --- tokens -----------------------------------------------------------------------------

test('token: create, look up, renew, revoke', async () => {
    const { auth } = await root().tokenCreate({ policies: ['default'], ttl: '1h', meta: { who: 'me' } });
    assert.deepEqual([auth.lease_duration, auth.renewable, auth.metadata], [3600, true, { who: 'me' }]);
    assert.equal((await vault.tokenLookup({ token: auth.client_token })).data.accessor, auth.accessor);
    assert.equal((await vault.tokenLookupAccessor({ accessor: auth.accessor })).data.id, '');
    assert.ok((await vault.tokenAccessors()).data.keys.includes(auth.accessor));
    const renewed = await root().tokenRenew({ token: auth.client_token, increment: '2h' });
    assert.equal(renewed.auth.lease_duration, 7200);
    const own = server.client(auth.client_token);
    assert.equal((await own.tokenRenewSelf({ increment: 600 })).auth.lease_duration, 600);
    await own.tokenRevokeSelf();
    await refused(own.tokenLookupSelf(), 403);
});

test('token: accessor and orphans', async () => {
    const orphan = (await root().tokenCreateOrphan({ policies: ['default'] })).auth;
    assert.equal(orphan.orphan, true);
    await vault.tokenRevokeAccessor({ accessor: orphan.accessor });
    await refused(vault.tokenLookup({ token: orphan.client_token }), 403, 'bad token');
    const parent = (await root().tokenCreate({ ttl: '1h', policies: ['root'] })).auth;
    const child = (await server.client(parent.client_token).tokenCreate({ policies: ['default'] })).auth;
    await vault.tokenRevokeOrphan({ token: parent.client_token });
    assert.equal((await vault.tokenLookup({ token: child.client_token })).data.orphan, true);
});

test('token: roles', async () => {
    const name = unique();
    await vault.addTokenRole({ role_name: name, allowed_policies: 'web', orphan: true });
    assert.deepEqual((await vault.getTokenRole({ role_name: name })).data.allowed_policies, ['web']);
    assert.ok((await vault.tokenRoles()).data.keys.includes(name));
    const { auth } = await root().tokenCreateRole({ role_name: name, policies: ['web'] });
    assert.deepEqual([auth.orphan, auth.policies], [true, ['default', 'web']]);
    await vault.removeTokenRole({ role_name: name });
    await refused(vault.getTokenRole({ role_name: name }), 404);
});

test('token: renewed by itself', async () => {
    const { auth } = await root().tokenCreate({ policies: ['default'], ttl: '20s' });
    const own = server.client(auth.client_token);
    const renewed = new Promise((resolve, reject) => {
        own.once('token:renewed', resolve);
        own.once('token:error:renew', reject);
    });
    // Its own timer does not keep node awake.
    const awake = setInterval(() => {}, 1000);
    await own.startTokenRenewal({ renewFraction: 0.05 });
    try {
        assert.equal((await renewed).auth.lease_duration, 20);
    } finally {
        own.stopAllRenewals();
        clearInterval(awake);
    }
});

// --- other logins -----------------------------------------------------------------------

test('AppRole', async () => {
    const name = unique();
    await vault.enableAuth({ mount_point: 'approle', type: 'approle' });
    await vault.addApproleRole({ role_name: name, policies: 'web', token_ttl: 1200 });
    assert.deepEqual((await vault.getApproleRole({ role_name: name })).data.token_policies, ['web']);
    assert.deepEqual((await vault.approleRoles()).data.keys, [name]);
    await vault.updateApproleRoleId({ role_name: name, role_id: `id-${name}` });
    const { role_id } = (await vault.getApproleRoleId({ role_name: name })).data;
    assert.equal(role_id, `id-${name}`);
    const { secret_id, secret_id_accessor } = (await vault.getApproleRoleSecret({
        role_name: name, metadata: '{"host":"a"}' })).data;
    const own = server.client('');
    const { auth } = await own.approleLogin({ role_id, secret_id });
    assert.deepEqual([auth.lease_duration, auth.metadata], [1200, { role_name: name, host: 'a' }]);
    assert.equal(own.token, auth.client_token, 'the client goes on with it');
    assert.equal((await own.tokenLookupSelf()).data.path, 'auth/approle/login');
    assert.deepEqual((await vault.approleSecretAccessors({ role_name: name })).data.keys, [secret_id_accessor]);
    assert.deepEqual((await vault.approleSecretLookup({ role_name: name, secret_id })).data.metadata, { host: 'a' });
    assert.equal((await vault.approleSecretAccessorLookup({ role_name: name, secret_id_accessor }))
        .data.secret_id_accessor, secret_id_accessor);
    await vault.approleSecretDestroy({ role_name: name, secret_id });
    await refused(server.client('').approleLogin({ role_id, secret_id }), 400, 'invalid role or secret ID');
    const second = (await vault.getApproleRoleSecret({ role_name: name })).data;
    await vault.approleSecretAccessorDestroy({ role_name: name, secret_id_accessor: second.secret_id_accessor });
    await refused(server.client('').approleLogin({ role_id, secret_id: second.secret_id }), 400);
    await vault.deleteApproleRole({ role_name: name });
    await refused(vault.getApproleRole({ role_name: name }), 404);
});

test('userpass', async () => {
    await vault.enableAuth({ mount_point: 'userpass', type: 'userpass' });
    await vault.write('auth/userpass/users/ann', { password: 'pass word', token_policies: 'web' });
    const own = server.client('');
    const { auth } = await own.userpassLogin({ username: 'ann', password: 'pass word' });
    assert.deepEqual(auth.policies, ['default', 'web']);
    assert.equal(own.token, auth.client_token);
    await refused(own.userpassLogin({ username: 'ann', password: 'no' }), 400, 'invalid username or password');
});

// --- wrapping and leases ----------------------------------------------------------------

test('unwrap', async () => {
    const wrapped = await vault.request({
        path: '/sys/wrapping/wrap', method: 'POST', json: { k: 'v' }, headers: { 'X-Vault-Wrap-TTL': '60s' },
        ca: fs.readFileSync(`${server.dir}/data/tls/cert.pem`) });
    const got = await root().unwrap({ token: wrapped.wrap_info.token });
    assert.deepEqual(got.data, { k: 'v' });
    await refused(vault.unwrap({ token: wrapped.wrap_info.token }), 400,
        'wrapping token is not valid or does not exist');
});

test('revoke, revokePrefix, renew', async () => {
    await vault.revoke({ lease_id: 'secret/none/x' });
    await vault.revokePrefix({ path_prefix: 'auth/none' });
    await refused(vault.renew({ lease_id: 'secret/none/x' }), 400, 'lease not found');
});

// --- refusals ---------------------------------------------------------------------------

test('refusals', async () => {
    const { auth } = await root().tokenCreate({ policies: ['default'] });
    await refused(server.client(auth.client_token).read('secret/data/x'), 403,
        '1 error occurred:\n\t* permission denied\n\n');
    await refused(server.client('').read('secret/data/x'), 403, 'permission denied');
    await refused(vault.read('secret/data/none'), 404, 'Status 404');
    await refused(vault.write('secret/data/x', {}), 400, 'no data provided');
});

test('a certificate that nobody vouches for', async () => {
    await assert.rejects(server.client(undefined, { requestOptions: {} }).status(), /certificate/);
});
