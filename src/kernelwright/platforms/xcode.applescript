-- Opens a Metal capture in Xcode, turns to one of its views, closes it. Not yet run on hardware.
--
--   osascript xcode.applescript open PATH      opens it, replays it, prints the window's number for screencapture -l
--   osascript xcode.applescript show VIEW      summary, memory or timeline: chosen in the debug navigator
--   osascript xcode.applescript close PATH     closes the document without saving
--
-- Needs Xcode, and for whoever runs it the right to control the computer (Privacy & Security, Accessibility).

property patience : 90 -- seconds until a window or a row must be there

on run argv
	set verb to item 1 of argv
	set given to item 2 of argv
	if verb is "open" then return openTrace(given)
	if verb is "show" then return showView(given)
	if verb is "close" then return closeTrace(given)
	error "no verb " & verb & ": there are open, show and close"
end run

on openTrace(tracePath)
	tell application "Xcode"
		activate
		open POSIX file tracePath
	end tell
	waitForWindow(nameOf(tracePath))
	tell application "System Events" to tell process "Xcode"
		set frontmost to true
		-- a capture from outside of Xcode must be replayed before its counters are known
		repeat with wanted in {"Replay", "Profile"}
			if exists (first button of front window whose name is (wanted as text)) then
				click (first button of front window whose name is (wanted as text))
				delay 10
				exit repeat
			end if
		end repeat
	end tell
	tell application "Xcode" to return id of front window
end openTrace

on showView(viewName)
	set wanted to my titleOf(viewName)
	tell application "System Events" to tell process "Xcode"
		set frontmost to true
		repeat patience times
			repeat with candidateRow in (rows of outline 1 of scroll area 1 of group 1 of splitter group 1 of group 1 of splitter group 1 of group 1 of front window)
				if (exists static text 1 of UI element 1 of candidateRow) and (value of static text 1 of UI element 1 of candidateRow) starts with wanted then
					select candidateRow
					delay 3 -- the view is drawn
					return viewName
				end if
			end repeat
			delay 1
		end repeat
	end tell
	error "Xcode's debug navigator has no row " & wanted
end showView

on closeTrace(tracePath)
	tell application "Xcode"
		repeat with openWindow in windows
			if name of openWindow contains my nameOf(tracePath) then close openWindow saving no
		end repeat
	end tell
	return "closed"
end closeTrace

on titleOf(viewName)
	if viewName is "summary" then return "Summary"
	if viewName is "memory" then return "Memory"
	if viewName is "timeline" then return "Performance"
	error "no view " & viewName & ": there are summary, memory and timeline"
end titleOf

on nameOf(tracePath)
	return do shell script "basename " & quoted form of tracePath & " .gputrace"
end nameOf

on waitForWindow(wanted)
	repeat patience times
		tell application "Xcode"
			if (count of (windows whose name contains wanted)) > 0 then return
		end tell
		delay 1
	end repeat
	error "Xcode opened no window for " & wanted
end waitForWindow
