"""Small exports of help desks, as their tools write them, made in the tests."""

import csv
import json
import zipfile
from datetime import UTC, datetime, timedelta
from xml.sax.saxutils import escape

import numpy as np

START = datetime(2026, 3, 2, tzinfo=UTC)
HOUR, DAY = 3600.0, 86400.0
FORMS = {
    "iso": "%Y-%m-%dT%H:%M:%SZ",
    "plain": "%Y-%m-%d %H:%M:%S",
    "minutes": "%d/%m/%Y %H:%M",
    "twelve": "%m/%d/%Y %I:%M %p",
    "jira": "%Y-%m-%dT%H:%M:%S.000+0000",
}


def at(seconds, form="iso"):
    """A moment so long after the start, as a tool writes it; empty where it is missing."""
    if seconds is None or seconds != seconds:
        return ""
    return (START + timedelta(seconds=float(seconds))).strftime(FORMS[form])


def write_csv(path, rows, sep=",", encoding="utf-8", head=None):
    """A list of dicts as CSV."""
    names = list(head or rows[0])
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file, delimiter=sep)
        writer.writerow(names)
        writer.writerows([[row.get(name, "") for name in names] for row in rows])
    return path


def write_json(path, data):
    """Data as JSON."""
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def write_xlsx(path, rows):
    """A list of dicts as a workbook with texts and numbers in its cells."""
    names = list(rows[0])

    def cell(value):
        if isinstance(value, int | float):
            return f"<c><v>{value}</v></c>"
        return f'<c t="inlineStr"><is><t>{escape(str(value))}</t></is></c>'

    lines = [names, *([row[name] for name in names] for row in rows)]
    body = "".join(f"<row>{''.join(map(cell, line))}</row>" for line in lines)
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    sheet = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default '
        f'Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" '
        f'ContentType="{sheet}.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" '
        f'ContentType="{sheet}.worksheet+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" '
        f'Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets><sheet '
        'name="Tickets" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships">'
        f'<Relationship Id="r1" Type="{office}/worksheet" Target="worksheets/sheet1.xml"/>'
        "</Relationships>",
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{body}</sheetData>'
        "</worksheet>",
    }
    with zipfile.ZipFile(path, "w") as packed:
        for name, text in parts.items():
            packed.writestr(name, f'<?xml version="1.0" encoding="UTF-8"?>{text}')
    return path


def desk(count=60, days=10, seed=1, work_s=1200.0):
    """Tickets of a desk as dicts of seconds: created, replied, solved; one in ten is still open."""
    rng = np.random.default_rng(seed)
    created = np.sort(rng.uniform(8 * HOUR, 17 * HOUR, count) + DAY * rng.integers(0, days, count))
    replied = created + rng.exponential(600, count).round() + 1
    solved = replied + rng.exponential(work_s, count).round() + 1
    names = ("Ann Archer", "Bob Baker", "Cid Cook")
    kinds = ("Billing", "Login", "Shipping")
    return [
        {
            "id": 1000 + k, "created": float(round(created[k])),
            "replied": float(replied[k].round()),
            "solved": None if k % 10 == 9 else float(solved[k].round()),
            "agent": names[k % 3], "kind": kinds[k % 3], "priority": ("low", "normal", "high",
                                                                     "urgent")[k % 4],
            "channel": ("email", "chat")[k % 2], "rating": (5, 4, 1)[k % 3],
        }
        for k in range(count)
    ]  # fmt: skip
