"""Write the two PDF files of the demo corpus.

    python make_sample_pdfs.py FONT [--index N] [--out FOLDER]

FONT is a TrueType font file that has both Latin letters and Chinese characters
and whose licence allows embedding.  The files in the repository were made with
WenQuanYi Micro Hei (wqy-microhei.ttc from Debian's fonts-wqy-microhei; Apache
License 2.0, or GPL 3 with the font embedding exception).  N is the number of the
face inside a .ttc collection.  Only the characters in use are embedded.

Do not use a font with CFF outlines such as Noto Sans CJK: with fpdf2 2.8.9 the
pages look right, but pypdf 7.1.0 reads wrong text from them.

Needs: fpdf2 (pip install fpdf2).
"""

import argparse
import datetime
import pathlib
import re

from fpdf import FPDF

COMPANY = "Brackenlode Instruments / 蕨源仪器"
CLOSING = "，。；：、！？）》”’％%"

# A page is a list of blocks: (kind, content).  Kinds: h1, h2, p, li, table.
WARRANTY = [
    [
        ("h1", "Product Warranty Terms"),
        (
            "p",
            "Version 8, for instruments delivered on or after 1 April. Owner: product quality lead. "
            "These terms apply to instruments made by Brackenlode Instruments and sold by us or by an "
            "authorised distributor. They do not limit the rights that consumers have by law.",
        ),
        ("h2", "1. Length of the warranty"),
        (
            "p",
            "The warranty begins on the day of delivery, as shown on the delivery note. If the note "
            "cannot be found, it begins 30 days after the date of manufacture printed on the label.",
        ),
        (
            "table",
            (
                "Table 1. Warranty periods",
                [
                    ["Product", "Warranty period"],
                    ["BL-200 handheld meter", "24 months"],
                    ["BL-510 field data logger", "36 months"],
                    ["BL-30 series probes", "12 months"],
                    ["Rechargeable batteries", "12 months or 300 charge cycles, whichever is first"],
                    ["Cables, cases and mounting parts", "6 months"],
                ],
            ),
        ),
        ("h2", "2. Registration"),
        ("p", "Registering a BL-200 or BL-510 within 60 days of delivery adds 12 months of warranty."),
        (
            "p",
            "Registration is free. Enter the serial number and the delivery date in the customer portal, "
            "or send a copy of the delivery note to the support team. Probes, batteries and mounting parts "
            "cannot be registered. An instrument that is sold on keeps its registration, provided that the "
            "new owner reports the change within 90 days.",
        ),
        ("h2", "3. What we promise"),
        (
            "p",
            "If a defect in material or workmanship appears during the warranty period, we repair the "
            "instrument or replace it with one of the same or a newer model, at our choice. Replaced parts "
            "become our property. A repaired instrument is covered for 90 days from its return or for the "
            "rest of the original period, whichever is longer.",
        ),
    ],
    [
        ("h2", "4. What is not covered"),
        ("li", "Normal wear of probe membranes, seals and pump tubing."),
        ("li", "Damage from storage or use outside -10 to 50 degrees Celsius."),
        ("li", "Immersion deeper than the mark on the housing (1 metre for BL-200, 3 metres for BL-510)."),
        ("li", "Opening the housing, apart from the battery door."),
        ("li", "Batteries or chargers not supplied by us, and the damage they cause."),
        ("li", "Loss of measurement data. Data sent to Sedgeview is dealt with in the service agreement."),
        ("h2", "5. Codes on the display"),
        (
            "p",
            "The code on the display is a first sign of the cause. The final decision is made after "
            "inspection in our workshop.",
        ),
        (
            "table",
            (
                "Table 2. Display codes and cover",
                [
                    ["Code", "Meaning", "Normally covered"],
                    ["E07", "Moisture inside the housing", "No, unless a seal was faulty"],
                    ["E12", "Probe not recognised", "Yes, within the probe period"],
                    ["E21", "Calibration memory fault", "Yes"],
                    ["E33", "Battery does not hold charge", "Yes, within the battery period"],
                    ["E40", "Keypad damaged", "No"],
                ],
            ),
        ),
        ("h2", "6. Calibration"),
        (
            "p",
            "Each new instrument comes with a calibration certificate that is valid for 12 months. "
            "Later calibration is a paid service and not part of the warranty. The price is 80 pounds for a "
            "BL-200 and 110 pounds for a BL-510. When a covered repair affects the measuring circuit, we "
            "calibrate the instrument again without charge.",
        ),
        ("h2", "7. Instruments that arrive faulty"),
        (
            "p",
            "A new instrument that does not work on arrival is replaced from stock. Tell us within 14 days "
            "of delivery and keep the original packing. We pay the freight in both directions.",
        ),
    ],
    [
        ("h2", "8. How to make a claim"),
        ("li", "Ask the support team for a return number (RMA). Have the serial number and the display code at hand."),
        ("li", "A return number is valid for 21 days; after that, please ask for a new one."),
        (
            "li",
            "Clean the instrument. Parts that have touched waste water must be disinfected, and form QA-6 enclosed.",
        ),
        ("li", "Remove the lithium battery of a BL-510 before sending it by air."),
        ("li", "Write the return number on the outside of the parcel and send it to the workshop named in our reply."),
        ("p", "Parcels without a return number are refused."),
        ("h2", "9. Time and cost"),
        ("p", "Covered repairs leave our workshop within 10 working days of arrival."),
        (
            "p",
            "You pay the freight to us and we pay the freight back. If a repair takes longer, we "
            "lend you a similar instrument free of charge until yours is ready, as far as stock allows.",
        ),
        ("p", "The inspection fee for an instrument out of warranty is 45 pounds."),
        (
            "p",
            "The fee is dropped if you accept our repair quotation within 30 days. Instruments for which we "
            "receive no answer within 90 days are recycled; we write to you twice before that.",
        ),
        ("h2", "10. Limit of liability"),
        (
            "p",
            "Our total liability under these terms is limited to the price paid for the instrument. We are "
            "not liable for lost profit or for the cost of repeating a measurement campaign. Nothing here "
            "limits liability for injury or for intent.",
        ),
        ("h2", "11. Law and language"),
        (
            "p",
            "These terms are governed by the law of England and Wales. For instruments delivered in mainland "
            "China, the law of the People's Republic of China applies. The English text is the binding one; "
            "translations are offered for convenience.",
        ),
    ],
]

SLA = [
    [
        ("h1", "客户支持服务等级"),
        (
            "p",
            "版本 4.3。负责部门：客户支持部。本文说明 Sedgeview 云平台以及 BL-200、BL-510 产品的支持范围、"
            "响应时间和服务补偿。本文中的优先级 P1 至 P4 由客户支持部与客户共同确认，与公司内部的故障级别"
            "（SEV1 至 SEV3）不是同一套标准，两者不能直接对应。",
        ),
        ("h2", "一、服务时间"),
        (
            "p",
            "标准版客户的服务时间为工作日 9:00 至 18:00（北京时间）。高级版客户的 P1 请求全天候受理，"
            "其余请求与标准版相同。法定节假日的值班安排提前 10 天在客户门户公布。",
        ),
        ("h2", "二、优先级与响应时间"),
        (
            "table",
            (
                "表 1　优先级与首次响应时间",
                [
                    ["优先级", "含义", "标准版", "高级版"],
                    ["P1", "全部设备无法上传数据", "2 小时", "30 分钟"],
                    ["P2", "部分设备或报警功能异常", "4 小时", "2 小时"],
                    ["P3", "单台设备或报表问题", "1 个工作日", "4 小时"],
                    ["P4", "咨询与建议", "3 个工作日", "2 个工作日"],
                ],
            ),
        ),
        ("p", "响应时间从工单创建时起算，只计算服务时间。首次响应由工程师作出，自动回复不算响应。"),
        ("h2", "三、提交方式"),
        ("li", "客户门户：推荐方式，提交后自动生成工单编号，编号以 CS 开头。"),
        ("li", "电子邮件：support@brackenlode.example，按 P3 或 P4 处理。"),
        ("li", "电话：P1 请求必须通过电话提交，热线号码见合同首页。"),
        ("p", "提交时请提供设备序列号、固件版本和问题出现的时间。缺少序列号的工单，响应时间从补充完整时起算。"),
        ("h2", "四、解决目标"),
        (
            "p",
            "P1 的目标是 8 小时内恢复服务，P2 的目标是 3 个工作日内给出解决办法或临时办法。"
            "解决目标不是承诺，不适用第六条的补偿。",
        ),
    ],
    [
        ("h2", "五、可用性与维护"),
        (
            "p",
            "Sedgeview 的月度可用性承诺为：标准版 99.5%，高级版 99.9%。"
            "可用性按自然月计算，由公司以外的两个监测点每分钟探测一次，两个监测点同时失败才算不可用。",
        ),
        ("p", "计划维护安排在每月第二个星期日的 2:00 至 6:00（北京时间）。"),
        ("p", "计划维护至少提前 7 天通知，不计入不可用时间。紧急维护尽量提前 2 小时通知，计入不可用时间。"),
        ("h2", "六、服务补偿"),
        (
            "table",
            (
                "表 2　高级版服务补偿",
                [
                    ["当月可用性", "补偿（占当月服务费）"],
                    ["低于 99.9%，不低于 99.5%", "5%"],
                    ["低于 99.5%，不低于 99.0%", "10%"],
                    ["低于 99.0%", "25%"],
                ],
            ),
        ),
        ("p", "标准版低于承诺值的，一律补偿当月服务费的 5%。补偿以抵扣下期服务费的方式支付，不退现金。"),
        ("p", "客户须在次月 20 日之前提出补偿申请，逾期视为放弃。"),
        ("h2", "七、不计入的情形"),
        ("li", "客户一侧的网络、电源或移动信号中断；"),
        ("li", "客户自行修改设备证书或接口密钥；"),
        ("li", "固件版本落后两个大版本以上的设备；"),
        ("li", "不可抗力。"),
        ("h2", "八、升级渠道"),
        (
            "p",
            "客户对处理进度不满意的，可以要求升级。第一级为当班主管，第二级为客户支持部负责人，"
            "第三级为分管客户的公司领导。每一级须在 4 个服务小时内回复。",
        ),
        (
            "p",
            "升级不改变工单的优先级。如果认为优先级有误，请在门户中选择“申请调整优先级”，由当班主管在 1 小时内答复。",
        ),
    ],
    [
        ("h2", "九、数据与合同终止"),
        ("p", "合同终止后，客户数据保留 45 天，期间可以自行导出。"),
        (
            "p",
            "保留期满后，数据在 15 天内从所有服务器删除，备份中的副本在 90 天内自然过期。"
            "客户可以要求出具删除证明，免费一份。导出格式为 CSV，超过 50 GB 的数据可以申请寄送硬盘，"
            "运费由客户承担。",
        ),
        ("h2", "十、现场服务"),
        (
            "p",
            "高级版客户每个合同年度享有 2 次免费现场服务，每次不超过 8 小时。超出部分按每人每天 1,800 元收费，"
            "交通和住宿另计。现场服务须提前 5 个工作日预约，偏远地区须提前 10 个工作日。",
        ),
        ("p", "现场工程师不得代替客户签署检测报告，也不得带走客户的样品。"),
        ("h2", "十一、培训与回访"),
        ("li", "新客户可以参加一次线上培训，时长 90 分钟，人数不限。"),
        ("li", "P1 和 P2 工单关闭后 5 个工作日内，客户支持部进行电话回访。"),
        ("li", "满意度按 1 至 5 分评价，低于 3 分的工单由负责人复查。"),
        ("h2", "十二、修订"),
        (
            "p",
            "本文每年 4 月修订一次。降低服务水平的修改，须提前 60 天书面通知客户；"
            "客户不同意的，可以在通知期内解除合同，并按剩余月份退还服务费。",
        ),
    ],
]

DOCUMENTS = [
    ("product-warranty.pdf", "Product Warranty Terms", "en", "Page {} of {}", WARRANTY),
    ("support-levels-zh.pdf", "客户支持服务等级", "zh-CN", "第 {} 页，共 {} 页", SLA),
]


class Page(FPDF):
    head = foot = ""
    total = 0

    def header(self):
        self.set_font("doc", size=8)
        self.set_text_color(110)
        self.cell(0, 5, f"{COMPANY}    {self.head}", new_x="LMARGIN", new_y="NEXT")
        self.ln(6)
        self.set_text_color(0)

    def footer(self):
        self.set_y(-16)
        self.set_font("doc", size=8)
        self.set_text_color(110)
        self.cell(0, 5, self.foot.format(self.page_no(), self.total), align="C")
        self.set_text_color(0)


def lines(pdf, text, width):
    """Break at spaces and between Chinese characters, never before a closing mark."""
    units = re.findall(rf"(?:[\u3000-\u9fff\uff00-\uffef“‘]|[^\s\u3000-\u9fff\uff00-\uffef“]+)[{CLOSING}]*\s*", text)
    assert "".join(units) == text, text
    out = [""]
    for unit in units:
        opens = out[-1][-1:] in "（《“" and out[-1]
        if out[-1] and not opens and pdf.get_string_width((out[-1] + unit).rstrip()) > width:
            out.append("")
        out[-1] += unit
    return [line.rstrip() for line in out]


def put(pdf, text, size, leading, indent=0.0):
    pdf.set_font("doc", size=size)
    for line in lines(pdf, text, pdf.epw - indent - 1):
        pdf.set_x(pdf.l_margin + indent)
        pdf.cell(0, leading, line, new_x="LMARGIN", new_y="NEXT")


def build(font, index, out, name, title, language, foot, pages):
    pdf = Page(format="A4")
    pdf.add_font("doc", fname=font, collection_font_number=index)
    pdf.set_margins(22, 16)
    pdf.c_margin = 0
    pdf.set_auto_page_break(False)
    pdf.set_title(title)
    pdf.set_author(COMPANY)
    pdf.set_lang(language)
    pdf.set_creation_date(datetime.datetime(2025, 4, 1, tzinfo=datetime.UTC))
    pdf.head, pdf.foot, pdf.total = title, foot, len(pages)
    for blocks in pages:
        pdf.add_page()
        for kind, content in blocks:
            if kind == "h1":
                put(pdf, content, 20, 11)
                pdf.ln(3)
            elif kind == "h2":
                pdf.ln(3)
                put(pdf, content, 13, 8)
            elif kind == "p":
                put(pdf, content, 10.5, 5.8)
                pdf.ln(2)
            elif kind == "li":
                y = pdf.get_y()
                put(pdf, "-", 10.5, 5.8, 2)
                pdf.set_y(y)
                put(pdf, content, 10.5, 5.8, 6)
                pdf.ln(0.8)
            else:
                caption, rows = content
                pdf.ln(1)
                put(pdf, caption, 9.5, 6)
                pdf.set_font("doc", size=10)
                columns = list(zip(*rows, strict=False))
                need = [max(pdf.get_string_width(cell) for cell in column) + 8 for column in columns]
                scale = pdf.epw / sum(need)
                assert scale >= 1, caption
                for number, row in enumerate(rows):
                    pdf.set_fill_color(232)
                    for cell, width in zip(row, need, strict=False):
                        x, y = pdf.get_x(), pdf.get_y()
                        pdf.rect(x, y, width * scale, 7, style="DF" if number == 0 else "D")
                        pdf.set_xy(x + 2.5, y)
                        pdf.cell(width * scale - 2.5, 7, cell)
                    pdf.ln(7)
                pdf.ln(3)
        assert pdf.get_y() < 297 - 18, f"{name}: page {pdf.page_no()} is too full"
    pdf.output(str(out / name))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("font")
    parser.add_argument("--index", type=int, default=0)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("sample_docs"))
    args = parser.parse_args()
    for document in DOCUMENTS:
        build(args.font, args.index, args.out, *document)


if __name__ == "__main__":
    main()
