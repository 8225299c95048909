"""The export of the customer list, by permission, harmless in spreadsheets, and written down."""

from django.contrib.auth.models import AbstractBaseUser
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from customers.admin.list_export import ListExport, rows_asked
from customers.models import Customer
from customers.resources import CustomerResource
from customers.services import exports


def _asked(question: str, person: AbstractBaseUser) -> QuerySet[Customer]:
    return rows_asked(Customer, question, person)


CUSTOMERS = exports.KINDS.add(
    exports.Kind(
        key="customers",
        label=_("Customers"),
        permission="customers.export_customer",
        asked=_asked,
        resource=CustomerResource,
    )
)


class CustomerExport(ListExport):
    """The export, for a ModelAdmin."""

    resource_classes = [CustomerResource]
    import_export_change_list_template = "admin/customers/customer/list.html"
    export_kind = CUSTOMERS.key
