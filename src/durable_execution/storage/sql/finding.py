"""Finding the rows of a page: by an index where one leads to them, or else by two looks.

No index leads to what runs or waits in a database where a finish would pay for it. It is looked for
among a few rows at that end of the ids where the page begins, which is where it mostly is; and if
they do not fill the page, among all, read in whatever order takes the least time.
"""

from __future__ import annotations

from durable_execution.storage.search import Search
from durable_execution.storage.sql.driver import Driver, Transaction
from durable_execution.storage.sql.rows import Row
from durable_execution.storage.sql.searching import Searches, narrowed


class Finding:
    """Asks a database for pages."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._searches = Searches(driver.dialect)

    async def rows_of(self, search: Search) -> list[Row]:
        """Return the rows of a page, and one more if there are more.

        Raises:
            InvalidInputError: The cursor is not one of such a search.
        """
        if self._searches.is_led(search):
            return await self._driver.scan(lambda transaction: self._find(transaction, search))
        rows = await self._driver.scan(lambda transaction: self._find_near(transaction, search))
        if len(rows) > search.limit:
            return rows
        statement, values = self._searches.among_all(search)

        async def work(transaction: Transaction) -> list[Row]:
            return await transaction.fetch(statement, values)

        return await self._driver.scan(work, is_led=False)

    async def _find(self, transaction: Transaction, search: Search) -> list[Row]:
        return await transaction.fetch(*self._searches.of(search))

    async def _find_near(self, transaction: Transaction, search: Search) -> list[Row]:
        edge = await transaction.fetch(*self._searches.edge(search))
        # Asked for apart: not every database sees the end of a range in a statement within another.
        return await self._find(transaction, narrowed(search, str(edge[0][0]))) if edge else []
