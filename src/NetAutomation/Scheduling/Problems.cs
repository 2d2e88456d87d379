using NetAutomation.Web;

namespace NetAutomation.Scheduling;

internal static class Problems
{
    public static readonly ProblemType ScheduleNameTaken = new("schedule_name_taken", 409, "Another schedule has this name");
}
