"""The customers of the demo shop: made up, the same ones every time."""

import csv
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import count
from pathlib import Path

from customers.choices import Gender

FOLDER = Path(__file__).resolve().parent
HOW_MANY = 2_000
# Any other number deals other people; with this one nobody has a number of the sample files in tests/.
SEED = 1_119
TIERS = {"普通会员": 58, "银卡会员": 24, "金卡会员": 11, "黑金会员": 3, "": 4}
TAGS = {"老客": 34, "爱买鲜花": 30, "爱买绿植": 18, "门店自提": 22, "公众号关注": 26, "花艺课学员": 7, "企业采购": 4}
# An operator's prefix, 0000 and four digits: valid to look at, and made up.
PREFIXES = (
    *("130", "131", "132", "133", "135", "136", "137", "138", "139", "150", "151", "152", "153", "155", "156"),
    *("157", "158", "159", "166", "173", "176", "177", "178", "180", "181", "182", "185", "186", "187", "188"),
    *("189", "191", "193", "195", "198"),
)
MAILBOXES = ("lan", "mei", "qing", "yun", "xiaoyu", "hua", "ming", "anan", "nini", "lele", "dong", "fei", "kiki")
# What a shop's list holds besides plain names.
ODD_NAMES = (
    *("古丽娜尔·买买提", "阿卜杜热依木·吐尔逊", "欧阳晓燕", "Emily Chen", "Anna", "王小姐", "李姐", "小鱼儿🐟"),
    *("司马文博", "上官雨晴", "陈女士（三楼）", "David Wang", "Zoë", "周老师"),
)
# What the sandbox gateway does to these is told in docs/gateway-protocol.md; the second block is out of reach.
MAGIC = ("19999990001", "19999990003", "19999990002")
OUT_OF_REACH = "1740599"


@dataclass
class Person:
    """One customer before anything is stored."""

    name: str
    gender: str
    birthday: tuple[int | None, int | None, int | None]
    tier: str
    tags: list[str]
    city: str
    province: str
    phone: str
    email: str
    joined_days_ago: int
    number: str = ""


class Dealer:
    """Deals people from the lists of names and cities."""

    def __init__(self, chance: random.Random):
        self.chance = chance
        self.family_names = _weighted("family_names.csv", "family_name")
        given = list(_rows("given_names.csv"))
        self.given_names = {
            gender: (
                [row["given_name"] for row in given if row["gender"] == gender],
                [int(row["weight"]) for row in given if row["gender"] == gender],
            )
            for gender in ("female", "male")
        }
        cities = list(_rows("cities.csv"))
        self.cities = [(row["city"], row["province"]) for row in cities], [int(row["weight"]) for row in cities]
        self.phones = self._new_phones()

    def person(self, place: int) -> Person:
        """The next customer."""
        name, gender = self._name()
        city, province = self._one(*self.cities) if self._happens(94) else ("", "")
        return Person(
            name=name,
            gender=gender if self._happens(82) else Gender.UNKNOWN.value,
            birthday=self._birthday(),
            tier=self._one(list(TIERS), list(TIERS.values())),
            tags=[tag for tag, percent in TAGS.items() if self._happens(percent)],
            city=city,
            province=province,
            phone=next(self.phones) if self._happens(95) else "",
            email=f"{self._one(MAILBOXES)}{place}@example.com" if self._happens(34) else "",
            # Half of them came within the last year: a shop that grows.
            joined_days_ago=7 + int(1_100 * self.chance.random() ** 1.6),
        )

    def _name(self) -> tuple[str, str]:
        if self._happens(3):
            return "", ""
        if self._happens(1):
            return self._one(ODD_NAMES), ""
        gender = self._one(["female", "male"], [68, 32])
        return self._one(*self.family_names) + self._one(*self.given_names[gender]), gender

    def _birthday(self) -> tuple[int | None, int | None, int | None]:
        if self._happens(30):
            return None, None, None
        # Days of a leap year, so that somebody has the 29th of February.
        day = date(1976, 1, 1) + timedelta(self.chance.randrange(366))
        if self._happens(35):
            return None, day.month, day.day
        year = self.chance.randrange(1958, 2007)
        # Born on a day that the year does not have? Then the year is one that has it.
        return (year - year % 4 if (day.month, day.day) == (2, 29) else year), day.month, day.day

    def _new_phones(self) -> Iterator[str]:
        taken: set[str] = set()
        for place in count(1):
            # One in 45: about what carriers report as unreachable.
            if place % 45 == 0:
                yield f"{OUT_OF_REACH}{place:04d}"
                continue
            number = f"{self._one(PREFIXES)}0000{self.chance.randrange(10_000):04d}"
            if number not in taken:
                taken.add(number)
                yield number

    def _happens(self, percent: int) -> bool:
        return self.chance.random() * 100 < percent

    def _one(self, choices, weights=None):
        return self.chance.choices(choices, weights)[0]


def everybody(how_many: int = HOW_MANY) -> list[Person]:
    """The shop's customers, newest last; a few share a phone, and a few have one the gateway treats badly."""
    dealer = Dealer(random.Random(SEED))
    people = sorted((dealer.person(place) for place in range(how_many)), key=lambda person: -person.joined_days_ago)
    for place, person in enumerate(people):
        person.number = f"HY{100_001 + place}"
    reachable = [person for person in people if person.phone]
    for husband, wife in zip(reachable[40:400:60], reachable[41:401:60], strict=True):
        wife.phone = husband.phone
    for place, number in enumerate(MAGIC):
        reachable[500 + 7 * place].phone = number
    return people


def _rows(name: str) -> Iterator[dict[str, str]]:
    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _weighted(name: str, column: str) -> tuple[list[str], list[int]]:
    rows = list(_rows(name))
    return [row[column] for row in rows], [int(row["weight"]) for row in rows]
