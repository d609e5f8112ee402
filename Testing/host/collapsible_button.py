"""``ctkCollapsibleButton``: a heading that shows and hides what lies below it."""

from __future__ import annotations

from PySide6 import QtCore, QtGui, QtWidgets

_WANTED = "visibilityToParent"  # the property that CTK keeps on the contents
_UNLIMITED = (1 << 24) - 1  # QWIDGETSIZE_MAX of qwidget.h


class ctkCollapsibleButton(QtWidgets.QAbstractButton):
    """Section of a panel.

    Imitated: ``text``, ``collapsed``, ``contentsCollapsed(bool)``, that a click on the heading
    toggles, that the contents of a collapsed section are hidden, and that a widget which was hidden
    before stays hidden when the section is opened.
    """

    contentsCollapsed = QtCore.Signal(bool)

    def __init__(self, parent: QtWidgets.QWidget | None = None):
        super().__init__(parent)
        self._collapsed = False
        self._forcing = False
        self.setCheckable(True)
        self.setChecked(True)
        self.setSizePolicy(QtWidgets.QSizePolicy.Preferred, QtWidgets.QSizePolicy.Preferred)
        self.setFocusPolicy(QtCore.Qt.StrongFocus)
        self._lay_out()
        self.toggled.connect(lambda opened: self.setCollapsed(not opened))

    def _get_collapsed(self) -> bool:
        return self._collapsed

    def setCollapsed(self, collapsed: bool) -> None:
        """Hide or show the contents."""
        if collapsed == self._collapsed:
            return
        self._collapsed = collapsed
        self.setChecked(not collapsed)
        for child in self._contents():
            self._show_or_hide(child)
        self._lay_out()
        self.contentsCollapsed.emit(collapsed)

    collapsed = QtCore.Property(bool, _get_collapsed, setCollapsed)

    def _contents(self) -> list[QtWidgets.QWidget]:
        return [
            child
            for child in self.children()
            if isinstance(child, QtWidgets.QWidget) and not child.isWindow()
        ]

    def _show_or_hide(self, child: QtWidgets.QWidget) -> None:
        wanted = child.property(_WANTED) in (None, True)
        self._forcing = True
        child.setVisible(wanted and not self._collapsed)
        self._forcing = False
        if wanted:
            # So that a widget which nobody asked to show or hide follows its section for ever.
            child.setAttribute(QtCore.Qt.WA_WState_ExplicitShowHide, False)

    def childEvent(self, event: QtCore.QChildEvent) -> None:
        """Watch new contents; those that come while collapsed are hidden when shown."""
        child = event.child()
        if isinstance(child, QtWidgets.QWidget):
            if event.added():
                child.installEventFilter(self)
            elif event.removed():
                child.removeEventFilter(self)
        super().childEvent(event)

    def eventFilter(self, child: QtCore.QObject, event: QtCore.QEvent) -> bool:
        """Remember what contents were asked to be, and keep them hidden while collapsed."""
        shown = event.type() == QtCore.QEvent.ShowToParent
        if (shown or event.type() == QtCore.QEvent.HideToParent) and not self._forcing:
            child.setProperty(_WANTED, shown)
            if shown and self._collapsed:
                self._show_or_hide(child)
        return super().eventFilter(child, event)

    # Looks.

    def _heading(self) -> QtWidgets.QStyleOptionButton:
        option = QtWidgets.QStyleOptionButton()
        option.initFrom(self)
        option.text = self.text
        option.rect = QtCore.QRect(0, 0, self.width, self._heading_height())
        option.features = QtWidgets.QStyleOptionButton.Flat
        return option

    def _heading_height(self) -> int:
        return self.fontMetrics().height() + 10

    def _lay_out(self) -> None:
        self.setContentsMargins(0, self._heading_height(), 0, 0)
        self.setMaximumHeight(self._heading_height() if self._collapsed else _UNLIMITED)
        self.updateGeometry()

    def changeEvent(self, event: QtCore.QEvent) -> None:
        """Make room for another font."""
        if event.type() == QtCore.QEvent.FontChange:
            self._lay_out()
        super().changeEvent(event)

    def hitButton(self, position: QtCore.QPoint) -> bool:
        """Say whether a click is on the heading."""
        return position.y() < self._heading_height()

    def sizeHint(self) -> QtCore.QSize:
        """Return room for the heading, and for the contents when open."""
        width = self.fontMetrics().horizontalAdvance(self.text) + 40
        heading = QtCore.QSize(width, self._heading_height())
        layout = self.layout()
        if self._collapsed or layout is None:
            return heading
        return layout.totalSizeHint().expandedTo(heading)

    def minimumSizeHint(self) -> QtCore.QSize:
        """Return the least room."""
        layout = self.layout()
        if self._collapsed or layout is None:
            return QtCore.QSize(0, self._heading_height())
        return layout.totalMinimumSize()

    def paintEvent(self, _event: QtGui.QPaintEvent) -> None:
        """Paint the heading: an arrow and the text."""
        painter = QtWidgets.QStylePainter(self)
        heading = self._heading()
        painter.fillRect(heading.rect, self.palette.button())
        arrow = QtWidgets.QStyleOption()
        arrow.initFrom(self)
        size = heading.rect.height() // 2
        arrow.rect = QtCore.QRect(6, (heading.rect.height() - size) // 2, size, size)
        element = QtWidgets.QStyle.PE_IndicatorArrowRight
        if not self._collapsed:
            element = QtWidgets.QStyle.PE_IndicatorArrowDown
        painter.drawPrimitive(element, arrow)
        text = heading.rect.adjusted(arrow.rect.right() + 6, 0, 0, 0)
        painter.drawItemText(
            text,
            QtCore.Qt.AlignVCenter | QtCore.Qt.TextShowMnemonic,
            self.palette,
            self.enabled,
            self.text,
            QtGui.QPalette.ButtonText,
        )
