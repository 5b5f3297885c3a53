"""A week of two newsrooms, and what went out in the weeks before."""

from typing import NamedTuple


class News(NamedTuple):
    hours_ago: float
    topics: tuple[str, ...]
    level: str
    headline: str
    body: str
    story: str | None = None


WORLD, POLITICS, BUSINESS, SPORT, CULTURE = "world", "politics", "business", "sport", "culture"

TOPICS = {
    "en": {
        WORLD: ("World", "Wars, disasters, elections abroad"),
        POLITICS: ("Politics", "Government, parliament, the courts"),
        BUSINESS: ("Business", "Markets, prices, jobs"),
        SPORT: ("Sport", "Results and transfers"),
        CULTURE: ("Culture", "Books, film, stage"),
    },
    "ar": {
        WORLD: ("العالم", "الحروب والكوارث والانتخابات"),
        POLITICS: ("السياسة", "الحكومة والبرلمان والقضاء"),
        BUSINESS: ("الاقتصاد", "الأسواق والأسعار والعمل"),
        SPORT: ("الرياضة", "النتائج والانتقالات"),
        CULTURE: ("الثقافة", "كتب وسينما ومسرح"),
    },
}
SITE_NAMES = {"en": "The Harbour Post", "ar": "بريد المرفأ"}
NEWS = {
    "en": [
        News(
            0.4,
            (WORLD, POLITICS),
            "flash",
            "Ceasefire signed in Geneva",
            "Guns fall silent at midnight, both sides say.",
        ),
        News(
            3.1,
            (POLITICS,),
            "breaking",
            "Government falls over budget vote",
            "The speaker calls elections for March.",
            "budget",
        ),
        News(7.5, (SPORT,), "update", "Cup final goes to penalties", "Four goals in extra time."),
        News(11, (BUSINESS,), "breaking", "Central bank cuts rates to 2.5 per cent", "The first cut in three years."),
        News(26, (WORLD,), "update", "Second night of talks on the harbour strike", "", "harbour-strike"),
        News(
            31,
            (WORLD,),
            "breaking",
            "River bursts its banks: old town is evacuated",
            "Trams 3 and 7 stop; the school on the hill takes people in.",
        ),
        News(52, (CULTURE,), "update", "Opera house reopens after seven years", ""),
        News(
            75,
            (POLITICS, BUSINESS),
            "update",
            "Parliament passes the pension reform",
            "212 to 188, after an all-night sitting.",
        ),
    ],
    "ar": [
        News(
            0.4,
            (WORLD, POLITICS),
            "flash",
            "توقيع اتفاق لوقف إطلاق النار في جنيف",
            "يسري الاتفاق عند منتصف الليل، بحسب الطرفين.",
        ),
        News(
            3.1,
            (POLITICS,),
            "breaking",
            "سقوط الحكومة بعد التصويت على الموازنة",
            "رئيس البرلمان يدعو إلى انتخابات في مارس.",
            "budget",
        ),
        News(7.5, (SPORT,), "update", "نهائي الكأس يُحسم بركلات الترجيح", "أربعة أهداف في الوقت الإضافي."),
        News(11, (BUSINESS,), "breaking", "البنك المركزي يخفض الفائدة إلى 2.5 في المئة", "أول خفض منذ ثلاث سنوات."),
        News(26, (WORLD,), "update", "ليلة ثانية من المفاوضات حول إضراب المرفأ", "", "harbour-strike"),
        News(
            31,
            (WORLD,),
            "breaking",
            "فيضان النهر وإخلاء البلدة القديمة",
            "توقف خطّي الترام 3 و7، والمدرسة على التلة تستقبل الأهالي.",
        ),
        News(52, (CULTURE,), "update", "دار الأوبرا تفتح أبوابها بعد سبع سنوات", ""),
        News(
            75,
            (POLITICS, BUSINESS),
            "update",
            "البرلمان يقرّ إصلاح المعاشات",
            "212 صوتًا مقابل 188 بعد جلسة امتدت طوال الليل.",
        ),
    ],
}
# Alerts in the 23 days before this week's, by topic: flash, breaking, update.
MONTH = {WORLD: (1, 14, 30), POLITICS: (0, 16, 40), BUSINESS: (0, 3, 22), SPORT: (0, 6, 60), CULTURE: (0, 0, 9)}
