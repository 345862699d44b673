import type { VmSpec } from '@millrace/agent-protocol';

type Nics = VmSpec['nics'];

/** What the guest of a card is told of the network, with its own address; undefined: it asks there by DHCP. */
function addressingOf({ ip, subnet, network }: Nics[number]) {
  if (ip === undefined) return undefined;
  if (subnet) return { ip, ...subnet };
  if (network.kind === 'bridge') return undefined;
  // where libvirt's dnsmasq answers
  return { ip, netmask: network.netmask, gateway: network.gateway, dns: [network.gateway] };
}

/**
 * The cards in OpenStack's `network_data.json`. The first card has the default route and the name
 * servers.
 */
export function networkData(nics: Nics): object {
  return {
    links: nics.map(({ mac }, index) => ({
      id: `nic${index}`,
      type: 'phy',
      ethernet_mac_address: mac,
      mtu: null,
    })),
    networks: nics.map((nic, index) => {
      const addressing = addressingOf(nic);
      return {
        id: `network${index}`,
        link: `nic${index}`,
        network_id: nic.network.uuid,
        ...(addressing === undefined
          ? { type: 'ipv4_dhcp' }
          : {
              type: 'ipv4',
              ip_address: addressing.ip,
              netmask: addressing.netmask,
              routes:
                index === 0 ? [{ network: '0.0.0.0', netmask: '0.0.0.0', gateway: addressing.gateway }] : [],
            }),
      };
    }),
    services: nics
      .slice(0, 1)
      .flatMap((nic) => addressingOf(nic)?.dns ?? [])
      .map((address) => ({ type: 'dns', address })),
  };
}

/** The cards in version 2 of cloud-init's network configuration, found by their MAC addresses. */
export function networkConfig(nics: Nics): object {
  const card = (nic: Nics[number], index: number) => {
    const addressing = addressingOf(nic);
    return {
      match: { macaddress: nic.mac },
      ...(addressing === undefined
        ? { dhcp4: true }
        : {
            addresses: [`${addressing.ip}/${prefixLength(addressing.netmask)}`],
            ...(index === 0
              ? {
                  routes: [{ to: '0.0.0.0/0', via: addressing.gateway }],
                  nameservers: { addresses: addressing.dns },
                }
              : {}),
          }),
    };
  };
  return {
    version: 2,
    ethernets: Object.fromEntries(nics.map((nic, index) => [`nic${index}`, card(nic, index)])),
  };
}

function prefixLength(netmask: string): number {
  const bits = netmask.split('.').map((part) => Number(part).toString(2).padStart(8, '0'));
  return bits.join('').replace(/0*$/, '').length;
}
