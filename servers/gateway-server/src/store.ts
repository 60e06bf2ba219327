/** The gateways that may speak to this network. */
import type { Param, StoreDefinition } from "@trefoil/store";
import type { Gateway } from "@trefoil/wire";

export const storeDefinition = {
  migrations: [
    `CREATE TABLE gateway (
      eui TEXT PRIMARY KEY,
      gateway_id TEXT NOT NULL UNIQUE,
      antenna_gain_dbi REAL,
      latitude REAL,
      longitude REAL,
      altitude REAL,
      created_at INTEGER NOT NULL,
      last_seen INTEGER
    ) STRICT, WITHOUT ROWID`,
  ],
  statements: {
    create: "INSERT INTO gateway VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, NULL)",
    delete: "DELETE FROM gateway WHERE eui = ?1",
    seen: "UPDATE gateway SET last_seen = ?2 WHERE eui = ?1",
  },
} as const satisfies StoreDefinition;

export const allGateways = "SELECT * FROM gateway ORDER BY gateway_id";

export type GatewayRow = {
  readonly eui: string;
  readonly gateway_id: string;
  readonly antenna_gain_dbi: number | null;
  readonly latitude: number | null;
  readonly longitude: number | null;
  readonly altitude: number | null;
  readonly last_seen: number | null;
};

export function fromRow(row: GatewayRow): Gateway {
  const { latitude, longitude, altitude, antenna_gain_dbi: antennaGainDbi } = row;
  const place = latitude === null || longitude === null ? undefined : { latitude, longitude };
  return {
    gatewayId: row.gateway_id,
    eui: row.eui,
    ...(antennaGainDbi === null ? {} : { antennaGainDbi }),
    ...(place ? { location: altitude === null ? place : { ...place, altitude } } : {}),
  };
}

export const toRow = ({ eui, gatewayId, antennaGainDbi, location }: Gateway, createdAt: number): Param[] => [
  eui,
  gatewayId,
  antennaGainDbi ?? null,
  location?.latitude ?? null,
  location?.longitude ?? null,
  location?.altitude ?? null,
  createdAt,
];
