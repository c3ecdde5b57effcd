#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes centroids.inc: for every ISO 3166-1 country its continent and the centroid of its largest polygon.

The shapes are Natural Earth 1:50m (public domain) as packed by the npm package world-atlas 2.0.2. The file that this
makes is committed; run it again only to change it:

    npm pack world-atlas@2.0.2 && tar xzf world-atlas-2.0.2.tgz package/countries-50m.json
    geoip/make_centroids.py package/countries-50m.json > geoip/centroids.inc

The largest polygon alone counts, because the centroid of all of France with its overseas departments lies in Spain.
"""
import json
import math
import sys

# Continent: alpha-2 code and numeric code (the id of the shapes) of its countries.
COUNTRIES = {
    "AF": """
        AO024 BF854 BI108 BJ204 BW072 CD180 CF140 CG178 CI384 CM120 CV132 DJ262 DZ012 EG818
        EH732 ER232 ET231 GA266 GH288 GM270 GN324 GQ226 GW624 KE404 KM174 LR430 LS426 LY434
        MA504 MG450 ML466 MR478 MU480 MW454 MZ508 NA516 NE562 NG566 RE638 RW646 SC690 SD729
        SH654 SL694 SN686 SO706 SS728 ST678 SZ748 TD148 TG768 TN788 TZ834 UG800 YT175 ZA710
        ZM894 ZW716
    """,
    "AN": """
        AQ010 BV074 GS239 HM334 TF260
    """,
    "AS": """
        AE784 AF004 AM051 AZ031 BD050 BH048 BN096 BT064 CC166 CN156 CX162 GE268 HK344 ID360
        IL376 IN356 IO086 IQ368 IR364 JO400 JP392 KG417 KH116 KP408 KR410 KW414 KZ398 LA418
        LB422 LK144 MM104 MN496 MO446 MV462 MY458 NP524 OM512 PH608 PK586 PS275 QA634 SA682
        SG702 SY760 TH764 TJ762 TL626 TM795 TR792 TW158 UZ860 VN704 YE887
    """,
    "EU": """
        AD020 AL008 AT040 AX248 BA070 BE056 BG100 BY112 CH756 CY196 CZ203 DE276 DK208 EE233
        ES724 FI246 FO234 FR250 GB826 GG831 GI292 GR300 HR191 HU348 IE372 IM833 IS352 IT380
        JE832 LI438 LT440 LU442 LV428 MC492 MD498 ME499 MK807 MT470 NL528 NO578 PL616 PT620
        RO642 RS688 RU643 SE752 SI705 SJ744 SK703 SM674 UA804 VA336
    """,
    "NA": """
        AG028 AI660 AW533 BB052 BL652 BM060 BQ535 BS044 BZ084 CA124 CR188 CU192 CW531 DM212
        DO214 GD308 GL304 GP312 GT320 HN340 HT332 JM388 KN659 KY136 LC662 MF663 MQ474 MS500
        MX484 NI558 PA591 PM666 PR630 SV222 SX534 TC796 TT780 US840 VC670 VG092 VI850
    """,
    "OC": """
        AS016 AU036 CK184 FJ242 FM583 GU316 KI296 MH584 MP580 NC540 NF574 NR520 NU570 NZ554
        PF258 PG598 PN612 PW585 SB090 TK772 TO776 TV798 UM581 VU548 WF876 WS882
    """,
    "SA": """
        AR032 BO068 BR076 CL152 CO170 EC218 FK238 GF254 GY328 PE604 PY600 SR740 UY858 VE862
    """,
}
# Without a shape of their own in the 1:50m data, without an ISO code in it (XK), or around a pole (AQ).
# Latitude, longitude.
BY_HAND = {
    "AQ": (-82.00, 30.00),
    "BQ": (12.18, -68.26), "BV": (-54.42, 3.36), "CC": (-12.17, 96.83), "CX": (-10.49, 105.63), "GF": (3.93, -53.13),
    "GI": (36.14, -5.35), "GP": (16.20, -61.40), "MQ": (14.65, -61.01), "RE": (-21.13, 55.53), "SJ": (78.68, 16.40),
    "TK": (-9.17, -171.83), "TV": (-8.52, 179.20), "UM": (19.28, 166.65), "XK": (42.60, 20.90), "YT": (-12.82, 45.15),
}
CONTINENT_BY_HAND = {"XK": "EU"}


def decode_arcs(topology):
    scale, translate = topology["transform"]["scale"], topology["transform"]["translate"]
    for arc in topology["arcs"]:
        x = y = 0
        points = []
        for dx, dy in arc:
            x, y = x + dx, y + dy
            points.append((x * scale[0] + translate[0], y * scale[1] + translate[1]))
        yield points


def ring(arcs, indices):
    points = []
    for index in indices:
        part = arcs[index] if index >= 0 else arcs[~index][::-1]
        points += part[1:] if points else part
    return points


def unwrapped(points):
    """Without the jumps from 180 to -180 degrees of shapes across the date line."""
    turn = 0.0
    before = points[0][0]
    for x, y in points:
        turn += 360.0 * round((before - x) / 360.0)
        before = x
        yield x + turn, y


def area_and_centroid(points):
    """On Lambert's cylindrical equal-area projection, so that the north of a country weighs no more than its south."""
    flat = [(x, math.sin(math.radians(y))) for x, y in unwrapped(points)]
    area = cx = cy = 0.0
    for (x0, y0), (x1, y1) in zip(flat, flat[1:] + flat[:1]):
        cross = x0 * y1 - x1 * y0
        area += cross
        cx += (x0 + x1) * cross
        cy += (y0 + y1) * cross
    if area == 0:
        return 0.0, points[0]
    return abs(area), (cx / (3 * area), math.degrees(math.asin(max(-1.0, min(1.0, cy / (3 * area))))))


def main():
    topology = json.load(open(sys.argv[1]))
    arcs = list(decode_arcs(topology))
    largest = {}
    for shape in topology["objects"]["countries"]["geometries"]:
        polygons = {"Polygon": [shape.get("arcs")], "MultiPolygon": shape.get("arcs")}.get(shape["type"], [])
        for polygon in polygons:
            found = area_and_centroid(ring(arcs, polygon[0]))
            if "id" in shape and found[0] > largest.get(shape["id"], (0.0,))[0]:
                largest[shape["id"]] = found
    rows = {}
    for continent, codes in COUNTRIES.items():
        for code in codes.split():
            alpha, numeric = code[:2], code[2:]
            if alpha in BY_HAND:
                rows[alpha] = (continent, *BY_HAND[alpha])
            else:
                longitude, latitude = largest[numeric][1]
                rows[alpha] = (continent, latitude, (longitude + 180.0) % 360.0 - 180.0)
    for alpha, continent in CONTINENT_BY_HAND.items():
        rows[alpha] = (continent, *BY_HAND[alpha])
    print("// SPDX-License-Identifier: Apache-2.0")
    print("// Made by make_centroids.py from Natural Earth (public domain); do not edit. Sorted by country.")
    for alpha in sorted(rows):
        continent, latitude, longitude = rows[alpha]
        print(f'{{"{alpha}", "{continent}", {latitude:.2f}, {longitude:.2f}}},')


main()
