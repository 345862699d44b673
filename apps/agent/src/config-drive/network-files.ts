import type { VmSpec } from '@millrace/agent-protocol';

type Nics = VmSpec['nics'];

/**
 * The cards in OpenStack's `network_data.json`. The first card has the default route, and its gateway, where libvirt's
 * dnsmasq answers, is the name server.
 */
export function networkData(nics: Nics): object {
  return {
    links: nics.map(({ mac }, index) => ({
      id: `nic${index}`,
      type: 'phy',
      ethernet_mac_address: mac,
      mtu: null,
    })),
    networks: nics.map(({ ip, network }, index) => ({
      id: `network${index}`,
      link: `nic${index}`,
      network_id: network.uuid,
      ...(ip === undefined
        ? { type: 'ipv4_dhcp' }
        : {
            type: 'ipv4',
            ip_address: ip,
            netmask: network.netmask,
            routes: index === 0 ? [{ network: '0.0.0.0', netmask: '0.0.0.0', gateway: network.gateway }] : [],
          }),
    })),
    services: nics.slice(0, 1).map(({ network }) => ({ type: 'dns', address: network.gateway })),
  };
}

/** The cards in version 2 of cloud-init's network configuration, found by their MAC addresses. */
export function networkConfig(nics: Nics): object {
  const card = ({ mac, ip, network }: Nics[number], index: number) => ({
    match: { macaddress: mac },
    ...(ip === undefined
      ? { dhcp4: true }
      : {
          addresses: [`${ip}/${prefixLength(network.netmask)}`],
          ...(index === 0
            ? {
                routes: [{ to: '0.0.0.0/0', via: network.gateway }],
                nameservers: { addresses: [network.gateway] },
              }
            : {}),
        }),
  });
  return {
    version: 2,
    ethernets: Object.fromEntries(nics.map((nic, index) => [`nic${index}`, card(nic, index)])),
  };
}

function prefixLength(netmask: string): number {
  const bits = netmask.split('.').map((part) => Number(part).toString(2).padStart(8, '0'));
  return bits.join('').replace(/0*$/, '').length;
}
