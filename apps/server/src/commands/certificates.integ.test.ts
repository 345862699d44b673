import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { createAuthority, issueServerCertificate } from '../agents/certificate-signer.ts';
import { usableProbe } from '../http/testing/fake-ports.ts';
import { snapshotOf } from '../http/testing/snapshot.ts';
import { addHost, addTenant, type Params, rows, withTestApi } from '../http/testing/test-api.ts';

const own = await createAuthority('Images of ours');

async function withUpload(t: TestContext) {
  const api = await withTestApi(t);
  const host = await addHost(api.database, 'host1');
  const upload = (params: Params = {}) =>
    api.call('uploadTemplateDirectDownloadCertificate', {
      name: 'ours',
      hypervisor: 'KVM',
      zoneid: api.ids.zoneId,
      certificate: own.certificate,
      ...params,
    });
  const revoke = (params: Params) =>
    api.call('revokeTemplateDirectDownloadCertificate', { zoneid: api.ids.zoneId, ...params });
  /** What the host was told to trust when it was last asked to look at a source. */
  const trustedBy = async () => {
    api.agents.answers['image.probe'] = () => usableProbe();
    const answer = await api.call('probeTemplate', { url: 'https://images.example/a.qcow2' });
    assert.equal(answer.status, 200, answer.text);
    const { policy } = api.agents.calls.at(-1)!.params as { policy: { extraCa?: string[] } };
    return policy.extraCa;
  };
  return { ...api, host, upload, revoke, trustedBy };
}

test('an uploaded certificate goes with every request to fetch in its zone, until it is revoked', async (t) => {
  const api = await withUpload(t);
  assert.equal(await api.trustedBy(), undefined);
  const answer = await api.upload();
  assert.equal(answer.status, 200, answer.text);
  const uploaded = answer.content['uploadtemplatedirectdownloadcertificate'] as Record<string, unknown>;
  assert.deepEqual(
    [
      uploaded['alias'],
      uploaded['subject'],
      uploaded['issuer'],
      uploaded['hypervisor'],
      uploaded['zonename'],
    ],
    ['ours', 'CN=Images of ours', 'CN=Images of ours', 'KVM', 'zone1'],
  );
  assert.match(String(uploaded['serialnum']), /^\d+$/);
  const hosts = uploaded['hostsmap'] as Record<string, unknown>[];
  assert.deepEqual(
    hosts.map(({ hostname, status }) => [hostname, status]),
    [['host1', 'UPLOADED']],
  );
  assert.deepEqual(
    (await api.trustedBy())?.map((pem) => new X509Certificate(pem).subject),
    ['CN=Images of ours'],
  );

  const [listed] = rows(await api.call('listTemplateDirectDownloadCertificates', {}));
  assert.deepEqual([listed!['id'], 'hostsmap' in listed!], [uploaded['id'], false]);
  const provisioned = await api.call('provisionTemplateDirectDownloadCertificate', {
    id: String(uploaded['id']),
    hostid: api.host.hostUuid,
  });
  assert.equal(provisioned.status, 200);

  const revoked = await api.revoke({ name: 'ours', hypervisor: 'KVM' });
  assert.deepEqual(
    rows(revoked).map(({ hostname, status }) => [hostname, status]),
    [['host1', 'REVOKED']],
  );
  assert.equal(await api.trustedBy(), undefined);
  assert.equal((await api.upload()).status, 200, 'its name is free again');
});

test('the Base64 of a certificate is as good as its PEM', async (t) => {
  const api = await withUpload(t);
  const bare = own.certificate.replaceAll(/-----[A-Z ]+-----|\n/g, '');
  assert.equal((await api.upload({ certificate: bare })).status, 200);
  assert.equal((await api.trustedBy())?.length, 1);
});

test('what verifies nothing, and what breaks a rule, is refused by the name of its parameter', async (t) => {
  const api = await withUpload(t);
  assert.equal((await api.upload()).status, 200);
  const before = await snapshotOf(api.database);
  const leaf = await issueServerCertificate(own, ['images.example']);
  const cases: readonly (readonly [RegExp, Params])[] = [
    [/certificate: cannot be read/, { certificate: 'AAAA' }],
    [/certificate: must be PEM/, { certificate: 'no certificate at all!' }],
    [/certificate: must be one certificate, not 2/, { certificate: own.certificate + own.certificate }],
    [/certificate: holds a private key/, { certificate: own.certificate + own.key }],
    [/certificate: is neither a CA’s nor self-signed/, { certificate: leaf.certificate }],
    [/name: zone zone1 has a certificate ours already/, {}],
    [/name: cloudca1 is reserved/, { name: 'cloudca1' }],
    [/name: must be/, { name: '../x' }],
    [/hypervisor: must be KVM/, { hypervisor: 'VMware' }],
    [/zoneid/, { zoneid: api.host.hostUuid }],
    [/hostid/, { hostid: api.host.hostUuid }],
  ];
  for (const [rule, changes] of cases) {
    const answer = await api.upload({
      name: 'other',
      ...(Object.keys(changes).length === 0 ? { name: 'ours' } : changes),
    });
    assert.equal(answer.status, 431, rule.source);
    assert.match(String(answer.content['errortext']), rule);
    assert.doesNotMatch(answer.text, /PRIVATE KEY-/);
  }
  assert.match(String((await api.revoke({})).content['errortext']), /missing parameter id/);
  assert.match(String((await api.revoke({ name: 'nobody' })).content['errortext']), /name value=nobody/);
  assert.deepEqual(await snapshotOf(api.database), before);
  const ann = await addTenant(api.database, 'ann');
  assert.equal((await api.call('listTemplateDirectDownloadCertificates', {}, ann)).status, 432);
});
