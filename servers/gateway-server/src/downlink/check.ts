/** What a `transmit` of the network-server must look like. Compiled while loading. */
import { checker } from "@trefoil/service";
import Type from "typebox";

export const checkTransmit = checker(
  Type.Object({
    gateway: Type.String({ pattern: "^[0-9a-f]{16}$" }),
    phyPayload: Type.String({ pattern: "^[A-Za-z0-9+/]{4,340}={0,2}$" }),
    concentratorTime: Type.String({ pattern: "^[0-9]{1,16}$" }),
    windows: Type.Array(
      Type.Object({
        delayUs: Type.Integer({ minimum: 0 }),
        hz: Type.Integer({ minimum: 0 }),
        dataRate: Type.Union([Type.String(), Type.Integer()]),
        codingRate: Type.String(),
        eirpDbm: Type.Number(),
      }),
      { maxItems: 16 },
    ),
    priority: Type.Enum(["join-accept", "class-a", "class-b", "class-c"]),
  }),
);
